"""The edge answers at once; the cloud's verdicts follow as corrections with the same ids."""

import halocline as hc

digits = hc.samples.digits()
edge, cloud = hc.load(digits.edge_path), hc.load(digits.cloud_path)
with hc.Tiered(edge, cloud, threshold=digits.threshold, want_async=True) as tiered:
    replies = {reply.id: reply for reply in map(tiered.infer, digits.x[:100])}
    pending = [reply for reply in replies.values() if reply.reason == hc.Reason.PENDING]
    for correction in tiered.corrections(timeout_s=2.0):
        if correction.changed:
            print(f"{correction.id}: said {correction.replied}, the cloud says {correction.prediction.value}")
        pending = [reply for reply in pending if reply.id != correction.id]
        if not pending:
            break

assert not pending
