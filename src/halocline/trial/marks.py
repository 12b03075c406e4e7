"""Draw the answers to a row: boxes on its picture, or ranges and points on one line."""

from collections.abc import Sequence

from halocline.trial.samples import Drawn, Marks, Scale

WIDTH, HEIGHT = 120, 30
MARGIN = 4
MOST_BOXES = 60
"""So many boxes of each kind are drawn: a thumbnail holds no more."""


def marks_of(marks: Marks, width: int, height: int) -> str:
    """The boxes, to be laid over a picture of that size."""
    kinds = (("truth", marks.truth), ("cloud", marks.cloud), ("edge", marks.edge))
    drawn = "".join(
        f'<rect class="{kind}" x="{left * width:.1f}" y="{top * height:.1f}" '
        f'width="{(right - left) * width:.1f}" height="{(low - top) * height:.1f}"/>'
        for kind, boxes in kinds
        for left, top, right, low in boxes[:MOST_BOXES]
    )
    told = f"{len(marks.edge)} boxes of the edge, {len(marks.cloud)} of the cloud"
    return f'<svg class="marks" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">{drawn}</svg>'


def scale_of(scale: Scale) -> str:
    """The ranges of both tiers one above the other, a stroke at each value; truth and limit cross them."""
    span = (scale.high - scale.low) or 1.0

    def at(value: float) -> float:
        return MARGIN + (value - scale.low) / span * (WIDTH - 2 * MARGIN)

    parts = [_line("rule", MARGIN, WIDTH - MARGIN, HEIGHT / 2, HEIGHT / 2)]
    for kind, height, spots in (("edge", 9.0, scale.edge), ("cloud", 21.0, scale.cloud)):
        if spots is not None:
            low, value, high = map(at, spots)
            parts += [
                _line(kind, low, high, height, height),
                _line(kind, value, value, height - 5, height + 5),
            ]
    for kind, spot in (("truth", scale.truth), ("limit", scale.limit)):
        if spot is not None:
            parts.append(_line(kind, at(spot), at(spot), 0, HEIGHT))
    return (
        f'<svg class="scale" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="from {scale.low:.4g} to {scale.high:.4g}">{"".join(parts)}</svg>'
        f'<span class="quiet small">{scale.low:.4g} to {scale.high:.4g}</span>'
    )


def key_of(drawn: Sequence[Drawn | None], *, has_labels: bool) -> str:
    """What the colours of the drawings mean; nothing where none is drawn."""
    first = next((each for each in drawn if each is not None), None)
    if first is None:
        return ""
    if isinstance(first, Scale) and first.limit is not None:
        words = [("edge", "the edge's score"), ("limit", "from where on it is an anomaly")]
    else:
        what = "boxes" if isinstance(first, Marks) else "value and interval"
        words = [("edge", f"the edge's {what}"), ("cloud", f"the cloud's {what}")]
        words += [("truth", "the truth")] if has_labels else []
    return f'<ul class="key">{"".join(f"<li><i class={kind!r}></i>{told}</li>" for kind, told in words)}</ul>'


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'
