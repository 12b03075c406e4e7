"""Show the rows that go up: what going up did to them, and some of them."""

import base64
from html import escape

from halocline.trial.look import Lines, Look, Picture, Values
from halocline.trial.marks import key_of, marks_of, scale_of
from halocline.trial.result import Trial
from halocline.trial.samples import Marks, Moves, Sample, Scale
from halocline.trial.words import count, percent, short

LINE_WIDTH, LINE_HEIGHT = 120, 64


def gallery_of(trial: Trial) -> str:
    """The counts, and up to 24 rows drawn by a fixed seed."""
    moves = trial.moves
    told = _moves(moves, has_labels=trial.data.has_labels)
    if not trial.samples:
        return f"{told}<p>No row goes up.</p>"
    shown = (
        f"All {count(moves.up)} of them, the least sure first."
        if moves.up == len(trial.samples)
        else f"{count(len(trial.samples))} of the {count(moves.up)}, drawn by chance, the least sure first."
    )
    if any(isinstance(sample.look, Lines) and sample.look.has_own_scales for sample in trial.samples):
        shown += " Each line is on a scale of its own."
    cards = "".join(_card(sample) for sample in trial.samples)
    key = key_of([sample.drawn for sample in trial.samples], has_labels=trial.data.has_labels)
    return f'{told}<p class="quiet">{shown}</p>{key}<ul class="gallery">{cards}</ul>'


def _moves(moves: Moves, *, has_labels: bool) -> str:
    if not has_labels:
        return (
            f"<p>Of {count(moves.up)} rows that go up, {count(moves.up_mended)} get another answer from the "
            f"cloud. Of {count(moves.stayed)} that stay, the cloud would have answered "
            f"{count(moves.stayed_lost)} otherwise.</p>"
        )
    stay = (
        f"Of {count(moves.stayed)} rows that stay, the edge has {count(moves.stayed_right)} right. It "
        f"loses {count(moves.stayed_lost)} that the cloud has right; both tiers have "
        f"{count(moves.stayed_wrong)} wrong."
    )
    if not moves.up:
        return f"<p>{stay}</p>"
    cells = [
        ("good", moves.up_mended, "mended: edge wrong, cloud right"),
        ("", moves.up_needless, "needless: both right"),
        ("", moves.up_in_vain, "in vain: both wrong"),
        ("bad", moves.up_spoilt, "spoilt: edge right, cloud wrong"),
    ]
    listed = "".join(f'<li class="{kind}"><b>{count(n)}</b> {what}</li>' for kind, n, what in cells)
    return f'<p>Of {count(moves.up)} rows that go up:</p><ul class="moves">{listed}</ul><p>{stay}</p>'


def _card(sample: Sample) -> str:
    truth = "" if sample.truth is None else f"<span>truth <b>{escape(sample.truth)}</b></span>"
    return (
        f'<li class="{_outcome(sample)}">{_pictured(sample)}'
        f'<span class="quiet small">{_breakable(sample.row)}</span>'
        f"<span>edge <b>{escape(sample.edge)}</b> {percent(sample.confidence)}</span>"
        f"<span>cloud <b>{escape(sample.cloud)}</b></span>{truth}</li>"
    )


def _breakable(name: str) -> str:
    """A file's name, which may go on in a new line after its folder rather than anywhere."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")


def _outcome(sample: Sample) -> str:
    if sample.edge_right == sample.cloud_right:
        return ""
    return "good" if sample.cloud_right else "bad"


def _pictured(sample: Sample) -> str:
    """The row, with what is drawn of the answers on it or below it."""
    shown = _drawn(sample.look, sample.row)
    if isinstance(sample.drawn, Marks) and isinstance(sample.look, Picture):
        marks = marks_of(sample.drawn, sample.look.width, sample.look.height)
        return f'<span class="marked">{shown}{marks}</span>'
    return f"{shown}{scale_of(sample.drawn)}" if isinstance(sample.drawn, Scale) else shown


def _drawn(look: Look, name: str) -> str:
    match look:
        case Picture():
            data = base64.b64encode(look.png).decode()
            alt = f"{'spectrogram' if look.is_sound else 'picture'} of {name}"
            return (
                f'<img src="data:image/png;base64,{data}" width="{look.width}" height="{look.height}" '
                f'alt="{escape(alt)}">'
            )
        case Lines():
            return _plotted(look, name)
        case Values():
            more = f"<span>… of {count(look.count)}</span>" if look.count > len(look.values) else ""
            return f'<span class="values">{" ".join(map(short, look.values))}{more}</span>'


def _plotted(look: Lines, name: str) -> str:
    paths = []
    for at, line in enumerate(look.lines):
        step = LINE_WIDTH / max(len(line) - 1, 1)
        spots = [f"{i * step:.1f} {2 + (1 - v) * (LINE_HEIGHT - 4):.1f}" for i, v in enumerate(line)]
        paths.append(f'<path class="line l{at}" d="M{"L".join(spots)}"/>')
    scale = f"{short(look.low)} to {short(look.high)}"
    told = "" if look.has_own_scales else f'<span class="quiet small">{scale}</span>'
    return (
        f'<svg class="plot" viewBox="0 0 {LINE_WIDTH} {LINE_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="values of {escape(name)}">{"".join(paths)}</svg>{told}'
    )
