"""A machine's temperature as a CSV table: six hours at a time are scored, and an alarm is raised or not.

python machine_temperature.py FOLDER runs on the files of the Numenta Anomaly Benchmark, without one on made
temperatures.
"""

import sys

import halocline as hc
from halocline.data import Series, read

pair = hc.samples.pair("machine-temperature", *sys.argv[1:])
edge, cloud = hc.load(pair.edge), hc.load(pair.cloud)
window = Series(edge.spec.input.window, edge.spec.input.hop, edge.spec.input.columns)
tune, test = read(pair.tune, series=window), read(pair.test, series=window)

with hc.Tiered(edge, cloud, mode="edge_only") as alone:
    sure = sorted(reply.confidence for reply in alone.infer_batch(tune.samples))
threshold = sure[len(sure) // 5]  # the least sure fifth shall go up

for mode in ("edge_only", "cloud_only", "prefer_edge"):
    with hc.Tiered(edge, cloud, threshold=threshold, mode=mode, deadline_s=60) as tiered:
        replies = tiered.infer_batch(test.samples)
    alarms = [reply.value.is_anomaly for reply in replies]
    right = sum(alarm == bool(near) for alarm, near in zip(alarms, test.labels, strict=True))
    found = sum(alarm and near for alarm, near in zip(alarms, test.labels, strict=True)) / sum(test.labels)
    up = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
    print(
        f"{mode:11}  {right / len(test):.1%} right, {found:.1%} of the hours near a failure found, "
        f"{up / len(test):.1%} of {len(test)} hours went up"
    )
