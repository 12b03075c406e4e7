"""What a threshold can be tuned for: a loss, a share of escalations, or prices."""

import math
from numbers import Real
from typing import TypeAlias

import msgspec

from halocline.errors import Misconfigured


def as_share(name: str, value: object) -> float:
    """A share given as a number or as people write it, "27%" or "0.27"; its range is not looked at.

    Raises Misconfigured (HAL-101) for anything else.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            pass
    elif isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise Misconfigured("HAL-101", f"{name} must be a share such as 0.02 or '2%', got {value!r}")


class MaxLoss(msgspec.Struct, frozen=True):
    """Lose at most this share of answers against the cloud, with probability 1 - alpha over the data drawn.

    Both lie between 0 and 1. Raises Misconfigured (HAL-101).
    """

    loss: float
    alpha: float = 0.1

    def __post_init__(self) -> None:
        for name, value in (("max_loss", self.loss), ("alpha", self.alpha)):
            _check_number(name, value)
            if not 0 < value < 1:
                raise Misconfigured("HAL-101", f"{name} must be between 0 and 1, got {value}{_meant(value)}")


class Escalate(msgspec.Struct, frozen=True):
    """Send up this share of rows, in [0, 1]; no loss is promised. Raises Misconfigured (HAL-101)."""

    share: float

    def __post_init__(self) -> None:
        _check_number("escalate", self.share)
        if not 0 <= self.share <= 1:
            raise Misconfigured(
                "HAL-101", f"escalate must be in [0, 1], got {self.share}{_meant(self.share)}"
            )


class Prices(msgspec.Struct, frozen=True):
    """Spend least a request, given what a cloud call and a wrong answer cost; no loss is promised.

    Both in USD, 0 or more. Raises Misconfigured (HAL-101).
    """

    cloud_usd: float
    error_usd: float

    def __post_init__(self) -> None:
        for name, value in (("cloud_usd", self.cloud_usd), ("error_usd", self.error_usd)):
            if not (isinstance(value, Real) and math.isfinite(value) and value >= 0):
                raise Misconfigured("HAL-101", f"{name} must be a number of USD, 0 or more, got {value!r}")


Target: TypeAlias = MaxLoss | Escalate | Prices


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise Misconfigured("HAL-101", f"{name} must be a number, got {value!r}")


def _meant(value: float) -> str:
    return f". Did you mean {value / 100:g}?" if 1 <= value < 100 else ""
