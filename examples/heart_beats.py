"""Heart beats as rows of numbers: shape and rhythm of each beat against what is usual for its patient.

python heart_beats.py FOLDER runs on the beats of the MIT-BIH database, without one on made beats.
"""

import sys

import halocline as hc
from halocline.data import read

pair = hc.samples.pair("ecg", *sys.argv[1:])
edge, cloud = hc.load(pair.edge), hc.load(pair.cloud)
tune, test = read(pair.tune), read(pair.test)  # .npz files with x, y and group, who is the patient
policy = hc.tune(edge, cloud, tune.samples, tune.labels, tune.groups, escalate="25%", cache=False)

for mode in ("edge_only", "cloud_only", "prefer_edge"):
    with hc.Tiered(edge, cloud, policy=policy, mode=mode, deadline_s=60) as tiered:
        replies = tiered.infer_batch(test.samples)
    told = list(zip([reply.label for reply in replies], test.labels, strict=True))
    right = sum(said == truth for said, truth in told)
    found = sum(said == truth == "V" for said, truth in told) / sum(truth == "V" for _, truth in told)
    up = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
    print(
        f"{mode:11}  {right / len(test):.1%} right, {found:.1%} of the ventricular beats found, "
        f"{up / len(test):.1%} of {len(test)} beats went up"
    )
