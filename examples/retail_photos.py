"""Photos as PNG files: two models want them in other sizes and name the classes in another order.

python retail_photos.py FOLDER runs on the files of Fashion-MNIST, without one on small made pictures.
"""

import sys

import halocline as hc
from halocline.data import read

pair = hc.samples.pair("fashion-mnist", *sys.argv[1:])
edge, cloud = hc.load(pair.edge), hc.load(pair.cloud)  # what each is given, the .model.toml beside it says
tune, test = read(pair.tune), read(pair.test)  # a folder for each class
policy = hc.tune(edge, cloud, tune.samples, tune.labels, escalate="25%", cache=False)

for mode in ("edge_only", "cloud_only", "prefer_edge"):
    with hc.Tiered(edge, cloud, policy=policy, mode=mode, deadline_s=60) as tiered:
        replies = tiered.infer_batch(test.samples)
    right = sum(reply.label == label for reply, label in zip(replies, test.labels, strict=True))
    up = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
    print(f"{mode:11}  {right / len(test):.1%} right, {up / len(test):.1%} of {len(test)} photos went up")

for name, reply in list(zip(test.names, replies, strict=True))[:: len(test) // 5]:
    print(f"{name}: {reply.label}, says the {reply.tier} ({reply.reason}, {reply.confidence:.2f})")
