"""Draw accuracy against cloud calls as SVG: the curve, both tiers alone, the chosen point."""

import math
from typing import NamedTuple

from halocline.trial.result import Trial

BOTTOM = 44
TOP = 14
RIGHT = 14
LEFT = 52
ROOM = 0.08
"""Of the height, kept free above and below."""


class Frame(NamedTuple):
    """Where shares lie on the picture."""

    width: int
    height: int
    low: float
    high: float

    def x(self, share: float) -> float:
        """Across: the share of calls that go up."""
        return round(LEFT + share * (self.width - LEFT - RIGHT), 1)

    def y(self, accuracy: float) -> float:
        """Upwards: accuracy."""
        part = (accuracy - self.low) / (self.high - self.low)
        return round(self.height - BOTTOM - part * (self.height - BOTTOM - TOP), 1)


def chart_of(trial: Trial, width: int, height: int) -> str:
    """The picture in that many pixels; colours and fonts come from the page's style."""
    frame = _frame(trial, width, height)
    wide = width > 500
    parts = [
        *_grid(frame, wide=wide),
        _line(trial, frame),
        *_alone(trial, frame),
        *_chosen(trial, frame, wide=wide),
        *_names(trial, frame),
        _hover(frame),
    ]
    what = "accuracy" if trial.data.has_labels else "agreement with the cloud"
    alt = f"{what} against the share of calls that go up to the cloud; the figures stand beside the picture"
    return (
        f'<svg class="chart {"wide" if wide else "narrow"}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{alt}" data-left="{frame.x(0)}" data-right="{frame.x(1)}" data-low="{frame.low!r}" '
        f'data-high="{frame.high!r}" data-top="{TOP}" data-bottom="{height - BOTTOM}">{"".join(parts)}</svg>'
    )


def _frame(trial: Trial, width: int, height: int) -> Frame:
    curve, there = trial.evaluation.curve, trial.tiered.accuracy
    alone = trial.cloud_alone.accuracy.value, trial.edge_alone.accuracy.value
    low = min(float(curve.accuracy.min()), there.low, *alone)
    high = max(float(curve.accuracy.max()), there.high, *alone)
    margin = max((high - low) * ROOM, 0.002)
    return Frame(width, height, low - margin, high + margin)


def _grid(frame: Frame, *, wide: bool) -> list[str]:
    left, right, bottom = frame.x(0), frame.x(1), frame.height - BOTTOM
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "middle" if share < 1 else "end"
        parts.append(f'<path class="grid" d="M{frame.x(share)} {TOP}V{bottom}"/>')
        parts.append(
            f'<text class="tick" x="{frame.x(share)}" y="{bottom + 18}" text-anchor="{anchor}">'
            f"{share * 100:.0f} %</text>"
        )
    step = _step((frame.high - frame.low) * 100 / (6 if wide else 5)) / 100
    digits = max(0, -math.floor(math.log10(step * 100) + 1e-9))
    at = math.ceil(frame.low / step) * step
    while at <= min(frame.high, 1.0) + 1e-9:
        parts.append(f'<path class="grid" d="M{left} {frame.y(at)}H{right}"/>')
        parts.append(
            f'<text class="tick" x="{left - 7}" y="{frame.y(at) + 4}" text-anchor="end">'
            f"{at * 100:.{digits}f} %</text>"
        )
        at += step
    parts.append(
        f'<text class="axis" x="{(left + right) / 2}" y="{frame.height - 6}" text-anchor="middle">'
        "calls that go up to the cloud</text>"
    )
    return parts


def _step(rough: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough - 1e-12)


def _line(trial: Trial, frame: Frame) -> str:
    curve = trial.evaluation.curve
    order = curve.escalated.argsort(kind="stable")
    spots = [f"{frame.x(float(curve.escalated[i]))} {frame.y(float(curve.accuracy[i]))}" for i in order]
    return f'<path class="curve" d="M{"L".join(spots)}"/>'


def _alone(trial: Trial, frame: Frame) -> list[str]:
    cloud, edge = trial.cloud_alone.accuracy.value, trial.edge_alone.accuracy.value
    parts = []
    for name, share, value in (("cloud", 1.0, cloud), ("edge", 0.0, edge)):
        x, y = frame.x(share), frame.y(value)
        parts.append(f'<path class="level {name}" d="M{frame.x(0)} {y}H{frame.x(1)}"/>')
        parts.append(f'<circle class="dot {name}" cx="{x}" cy="{y}" r="5.5"/>')
    return parts


def _names(trial: Trial, frame: Frame) -> list[str]:
    """What the two levels are, written over everything else."""
    cloud, edge = trial.cloud_alone.accuracy.value, trial.edge_alone.accuracy.value
    parts = []
    # The labels lie on the free side of their lines: the better one above, the other below.
    for name, value, share, other in (("cloud", cloud, 1.0, edge), ("edge", edge, 0.0, cloud)):
        y = frame.y(value) + (-9 if value >= other else 19)
        y = min(max(y, TOP + 11), frame.height - BOTTOM - 6)
        x, anchor = (frame.x(1) - 10, "end") if share == 1.0 else (frame.x(0) + 11, "start")
        parts.append(f'<text class="name {name}" x="{x}" y="{y}" text-anchor="{anchor}">{name} alone</text>')
    return parts


def _chosen(trial: Trial, frame: Frame, *, wide: bool) -> list[str]:
    there = trial.tiered.accuracy
    x = frame.x(trial.escalated.value)
    low, high = frame.y(there.low), frame.y(there.high)
    y = frame.y(there.value)
    right = trial.escalated.value < 0.6
    # Under the interval where there is room, for the curve rises to the right of it.
    label_y = low + 17 if low + 17 < frame.height - BOTTOM - 4 else high - 8
    anchor = "start" if right else "end"
    name = "chosen, with 95 % interval" if wide else "chosen"
    return [
        f'<path class="bar" d="M{x} {low}V{high}M{x - 6} {low}h12M{x - 6} {high}h12"/>',
        f'<circle class="dot both" cx="{x}" cy="{y}" r="7"/>',
        f'<text class="name both" x="{x}" y="{label_y}" text-anchor="{anchor}">{name}</text>',
    ]


def _hover(frame: Frame) -> str:
    """What the script moves, and nothing without it."""
    return f'<path class="cursor" d="M0 {TOP}V{frame.height - BOTTOM}"/><circle class="cursor" r="5"/>'
