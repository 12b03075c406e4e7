"""Two detectors, one answer: the small one says how sure it is, also that nothing is there."""

import numpy as np

import halocline as hc
from halocline.demo.detection.pair import detectors
from halocline.stats.detection import mean_average_precision

scenes = detectors()  # digits on noisy canvases: none, a few or many; trained here, in seconds, and kept
edge, cloud = scenes.edge, scenes.cloud  # one answers as YOLO models do, the other as SSD models do
pictures, truth = scenes.test.pictures[:, None], scenes.test.truth

tuned = [said.confidence for said in edge.predict_batch(scenes.tune.pictures[:, None])]
with hc.Tiered(edge, cloud, threshold=float(np.quantile(tuned, 0.3)), deadline_s=60.0) as tiered:
    replies = tiered.infer_batch(pictures)

alone = [said.value for said in edge.predict_batch(pictures)]
both = [reply.value for reply in replies]
for name, few, most in (("all", 0, 99), ("a few things", 1, 3), ("crowded", 5, 99)):
    at = np.flatnonzero((scenes.test.counts >= few) & (scenes.test.counts <= most))
    up = np.mean([replies[each].tier is hc.Tier.CLOUD for each in at])
    there = [truth[each] for each in at]
    at_edge = mean_average_precision([alone[each] for each in at], there).at_half
    together = mean_average_precision([both[each] for each in at], there).at_half
    print(f"{name}: {up:.0%} went up, mAP {at_edge:.2f} at the edge alone, {together:.2f} with the cloud")

empty = [reply for reply, boxes in zip(replies, truth, strict=True) if not len(boxes)]
print(f"empty: {np.mean([reply.tier is hc.Tier.CLOUD for reply in empty]):.0%} went up")
blind = [at for at, boxes in enumerate(alone) if not len(boxes) and len(truth[at])]
caught = sum(replies[at].tier is hc.Tier.CLOUD for at in blind)
print(f"the edge found nothing in {len(blind)} scenes that hold something; {caught} of them went up")
assert caught > 0
