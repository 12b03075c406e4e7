"""Spoken digits as WAV files: the device hears 4 kHz in 16 bands, the cloud 8 kHz in 40.

python spoken_digits.py FOLDER runs on the files of the Free Spoken Digit Dataset, without one on made tones.
"""

import sys

import halocline as hc
from halocline.data import read

pair = hc.samples.pair("speech", *sys.argv[1:])
edge, cloud = hc.load(pair.edge), hc.load(pair.cloud)
tune = read(pair.tune, group_by=r"/(\w+)-")  # DIGIT/SPEAKER-NUMBER.wav
test = read(pair.test)
policy = hc.tune(edge, cloud, tune.samples, tune.labels, tune.groups, escalate="25%", cache=False)

for mode in ("edge_only", "cloud_only", "prefer_edge"):
    with hc.Tiered(edge, cloud, policy=policy, mode=mode, deadline_s=60) as tiered:
        replies = [tiered.infer(path) for path in test.samples]
    right = sum(reply.label == str(digit) for reply, digit in zip(replies, test.labels, strict=True))
    up = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
    print(f"{mode:11}  {right / len(test):.1%} right, {up / len(test):.1%} of {len(test)} recordings went up")
