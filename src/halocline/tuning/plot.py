"""Draw a curve or an evaluation so that it is readable on a light and on a dark page."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from halocline.errors import Misconfigured
from halocline.extras import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from halocline.tuning.curve import Curve

INCHES = (7.2, 4.4)
DOTS_PER_INCH = 160


class Theme(NamedTuple):
    """Colours by what they are for; the colours of lines are told apart by the colour-blind too."""

    page: str
    ink: str
    faint: str
    together: str
    cloud: str
    edge: str
    majority: str


# "any" is for a page of unknown colour: transparent, every colour at least 3:1 on white and on black.
THEMES = {
    "light": Theme("#ffffff", "#1f2328", "#d0d7de", "#0b6bcb", "#1a7f37", "#bc4c00", "#6e7781"),
    "dark": Theme("#0d1117", "#e6edf3", "#30363d", "#58a6ff", "#3fb950", "#f0883e", "#8b949e"),
    "any": Theme("none", "#7d8590", "#7d859055", "#2f81f7", "#2ea043", "#d0662a", "#7d8590"),
}


def check_picture(path: Path) -> None:
    """Raise Misconfigured where no picture can be drawn there.

    HAL-102 (another ending), HAL-103 (the extra is missing), HAL-304 (no such folder).
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise Misconfigured("HAL-102", f"a picture is written as .png or .svg, got {path.name!r}")
    if not path.parent.is_dir():
        raise Misconfigured("HAL-304", f"{path} cannot be written: there is no folder {path.parent}")
    need("plot", "matplotlib", what="drawing a curve")


def write(path: Path, draw: Callable[[str], "Figure"]) -> tuple[Path, ...]:
    """Write the picture: .svg once, transparent, for any page; .png twice, NAME.png and NAME-dark.png.

    Raises Misconfigured (HAL-102) for another ending, (HAL-304) where the file cannot be written.
    """
    check_picture(path)
    files = (
        ((path, "any"),)
        if path.suffix.lower() == ".svg"
        else ((path, "light"), (path.with_stem(f"{path.stem}-dark"), "dark"))
    )
    for file, theme in files:
        try:
            draw(theme).savefig(file, dpi=DOTS_PER_INCH, transparent=theme == "any")
        except OSError as exc:
            raise Misconfigured("HAL-304", f"{file} cannot be written: {exc.strerror}") from None
    return tuple(file for file, _ in files)


def draw_curve(curve: "Curve", theme: str) -> "Figure":
    """Escalation against accuracy: the curve, the chosen point with its interval, and what it is beside."""
    colours = THEMES[theme]
    figure, axes = _page(colours)
    base, there = curve.baselines, curve.chosen
    order = curve.escalated.argsort(kind="stable")
    up, right = curve.escalated[order] * 100, curve.accuracy[order] * 100
    name, said = "accuracy", "right"
    if curve.truth != "labels":
        name, said = "agreement with the cloud", "as the cloud"
    axes.plot(up, right, color=colours.together, lw=2.2, label="edge and cloud together", zorder=3)
    lines = [
        (base.cloud, "cloud alone", colours.cloud, "-"),
        (base.edge, "edge alone", colours.edge, "--"),
        (base.majority, f"always “{base.majority_label}”", colours.majority, ":"),
    ]
    span = (float(curve.accuracy.min()), float(curve.accuracy.max()), base.cloud, base.edge)
    interval = curve.accuracy_there
    low, high = 100 * min(*span, interval.low), 100 * max(*span, interval.high)
    room = max(high - low, 0.5)
    shown = [line for line in lines if line[0] * 100 >= low - room]
    for value, label, colour, style in shown:
        axes.axhline(value * 100, color=colour, lw=1.6, ls=style, label=f"{label}: {value:.1%}", zorder=2)
        low = min(low, value * 100)
    axes.errorbar(
        [there.escalated * 100],
        [there.accuracy * 100],
        yerr=[
            [100 * (there.accuracy - interval.low)],
            [100 * (interval.high - there.accuracy)],
        ],
        fmt="o",
        ms=8,
        lw=2,
        capsize=5,
        color=colours.ink,
        label=f"threshold {there.threshold:.3g}: {there.escalated:.1%} go up, {there.accuracy:.1%} {said}\n"
        f"(95% interval {interval.low:.1%} to {interval.high:.1%})",
        zorder=4,
    )
    margin = 0.06 * (high - low or 1)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("requests that go up to the cloud (%)")
    axes.set_ylabel(f"{name} (%)")
    hidden = [f"{label}: {value:.1%}, below the picture" for value, label, *_ in lines if value * 100 < low]
    _legend(figure, axes, colours, hidden)
    return _for_notebooks(figure)


def _for_notebooks(figure: "Figure") -> "Figure":
    """The figure, which a notebook can show by itself, with no word to matplotlib before."""

    def as_svg() -> str:
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True)
        return text.getvalue()

    figure._repr_svg_ = as_svg  # type: ignore[attr-defined]  # what IPython looks for
    return figure


def _page(colours: Theme) -> tuple["Figure", Any]:
    need("plot", "matplotlib", what="drawing a curve")
    from matplotlib.figure import Figure

    # A Figure of its own, not pyplot's: no window, no global state, and nothing to close.
    figure = Figure(figsize=INCHES, layout="constrained", facecolor=colours.page)
    axes = figure.add_subplot()
    axes.set_facecolor(colours.page)
    axes.grid(visible=True, color=colours.faint, lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(colours.faint)
    axes.tick_params(colors=colours.ink, labelsize=10)
    axes.xaxis.label.set(color=colours.ink, size=11)
    axes.yaxis.label.set(color=colours.ink, size=11)
    return figure, axes


def _legend(figure: "Figure", axes: Any, colours: Theme, also: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    for text in also:
        handles.append(Line2D([], [], color=colours.majority, ls=":"))
        labels.append(text)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9.5,
        labelcolor=colours.ink,
    )
