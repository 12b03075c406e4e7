"""Two models of this process, one answer: sure at the edge, or asked of the larger model."""

import halocline as hc

digits = hc.samples.digits()
with hc.Tiered(hc.load(digits.edge_path), hc.load(digits.cloud_path), threshold=digits.threshold) as tiered:
    replies = [tiered.infer(row) for row in digits.x[:100]]

right = sum(reply.label == str(truth) for reply, truth in zip(replies, digits.y, strict=False))
asked = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
print(f"{right} of 100 right, {asked} of them asked of the larger model")
