"""Fit the chance of an event to one number in [0, 1], by a logistic curve over its logit."""

import numpy as np

from halocline.errors import Rejected
from halocline.records import Array

_LEAST = 1e-6
"""Numbers nearer to 0 or 1 are read as so near, as `decide/tasks/sure.py` does: their logits are finite."""
_STEPS = 50
_WEIGHT = 1e-3
"""Of a slope's square: where one number parts the events from the rest, the slope stays finite."""


def fit_logistic(value: Array, event: Array) -> tuple[float, float]:
    """Slope and offset that make events bool `[n]` likeliest under values float `[n]` in [0, 1].

    The events count as chances a little inside (0, 1), as Platt (1999) has it, so that a few rows do not
    promise certainty. Raises Rejected (HAL-601) where the two do not belong together or hold NaN.
    """
    if value.shape != event.shape or value.ndim != 1 or not value.size or np.isnan(value).any():
        raise Rejected(
            "HAL-601",
            f"expected values [n] without NaN and events [n], got {value.shape} and {event.shape}",
        )
    inside = np.clip(value.astype(np.float64), _LEAST, 1 - _LEAST)
    x = np.stack([np.log(inside / (1 - inside)), np.ones(len(value))], axis=1)
    happened = int(event.sum())
    wanted = np.where(event, (happened + 1) / (happened + 2), 1 / (len(event) - happened + 2))
    weight = np.diag([_WEIGHT, 0.0])
    fitted = np.array([0.0, np.log((happened + 1) / (len(event) - happened + 1))])
    for _ in range(_STEPS):
        chance = 0.5 * (1 + np.tanh(0.5 * (x @ fitted)))
        slope = x.T @ (chance - wanted) + weight @ fitted
        curve = (x * (chance * (1 - chance))[:, None]).T @ x + weight + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        fitted = fitted - step * min(1.0, 4.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return float(fitted[0]), float(fitted[1])
