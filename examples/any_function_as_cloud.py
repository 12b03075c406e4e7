"""The cloud can be any function from a batch to class probabilities; this one is slow, the caller is not."""

import time

import numpy as np

import halocline as hc


def slow_cloud(batch: np.ndarray) -> np.ndarray:
    time.sleep(0.5)
    return np.eye(10, dtype=np.float32)[np.zeros(len(batch), int)]


digits = hc.samples.digits()
with hc.Tiered(hc.load(digits.edge_path), slow_cloud, threshold=1.0, deadline_s=0.05) as tiered:
    reply = tiered.infer(digits.x[0])

assert reply.degraded
assert reply.reason == hc.Reason.DEADLINE
print(f"answered {reply.label} at the {reply.tier}, because of the {reply.reason}")
