"""At most one row in ten goes up, whatever the data; the least sure rows of a batch go first."""

import halocline as hc

digits = hc.samples.digits()
edge, cloud = hc.load(digits.edge_path), hc.load(digits.cloud_path)
budget = hc.EscalationBudget(share=0.1, burst=5)
with hc.Tiered(edge, cloud, threshold=0.99, budget=budget) as tiered:
    replies = tiered.infer_batch(digits.x[:200])

up = sum(reply.tier == hc.Tier.CLOUD for reply in replies)
over = sum(reply.reason == hc.Reason.BUDGET for reply in replies)
assert up <= 0.1 * 200 + 5
print(f"{up} rows went up, {over} more wanted to")
