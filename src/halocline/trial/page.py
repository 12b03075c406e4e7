"""Write what a trial found as one HTML page that needs no network, no script and no other file."""

import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources

from halocline.decide.worth import Answer
from halocline.records import Task
from halocline.trial.chart import chart_of
from halocline.trial.gallery import gallery_of
from halocline.trial.result import Trial
from halocline.trial.tables import measure_table, month_table, price_table, recall_table, time_table
from halocline.trial.words import count, figure, interval, percent, points, short, text, threshold, usd

_SAYS = {
    Answer.TIERED: "tiered pays",
    Answer.EDGE: "edge alone",
    Answer.CLOUD: "stay with the cloud",
    Answer.UNCLEAR: "too few rows",
}


_RIGHT = {
    Task.CLASSIFY: "right answers",
    Task.DETECT: "pictures all right",
    Task.REGRESS: "within the tolerance",
    Task.SCORE: "right verdicts",
}
_MEASURED = {
    Task.CLASSIFY: "",
    Task.DETECT: "Mean average precision",
    Task.REGRESS: "How far values are off",
    Task.SCORE: "Anomalies",
}
_MEANS = {
    Task.DETECT: "A picture is all right where every thing has a box at an overlap of one half, with the "
    "right class, and nothing else has one.",
    Task.REGRESS: "A value is right within {tolerance:g} of the truth.",
    Task.SCORE: "A verdict is right where it says truly whether a row is an anomaly.",
}
"""What right means where it is not the right class."""
_AGREES = {
    Task.DETECT: "Answers are the same where each box has a match of its class, at an overlap of one half.",
    Task.REGRESS: "Answers are the same where each value lies in the interval of the other.",
    Task.SCORE: "Answers are the same where the verdict is.",
}


def page_of(trial: Trial) -> str:
    """The whole page."""
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    title = f"{trial.edge} and {trial.cloud}: {_SAYS[trial.verdict.answer]}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body><main>{''.join(_sections(trial))}</main><script>{script}</script></body></html>\n"
    )


def _sections(trial: Trial) -> list[str]:
    return [
        _top(trial),
        _tiles(trial),
        _section("Be wary", _list(trial.warnings)) if trial.warnings else "",
        _section(_curve_title(trial), _curve(trial)),
        _section(_MEASURED[trial.evaluation.task], measure_table(trial)) if trial.evaluation.measures else "",
        _section("A device-month", _month(trial)),
        _section("Time to an answer", time_table(trial)),
        _section("Threshold and promise", _promise(trial)),
        _section("What goes up", gallery_of(trial)),
        _section("Next", _commands(trial)),
        _foot(trial),
    ]


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"


def _top(trial: Trial) -> str:
    data = trial.data
    halves = f"{count(data.rows_chosen_on)} rows chose the threshold, {count(data.rows_shown_on)} others"
    if data.groups is not None:
        halves = (
            f"{count(data.groups_chosen_on or 0)} groups ({count(data.rows_chosen_on)} rows) chose the "
            f"threshold, {count(data.groups_shown_on or 0)} others ({count(data.rows_shown_on)} rows)"
        )
    truth = (
        ""
        if data.has_labels
        else " The rows have no labels: the cloud's answers are taken as the truth, and its own mistakes are "
        "not seen."
    ) + _meaning(trial)
    return (
        f'<header class="{trial.verdict.answer}"><p class="kicker">Is tiered inference worth it? '
        f"<b>{escape(trial.edge)}</b> on the device, <b>{escape(trial.cloud)}</b> in the cloud</p>"
        f"<h1>{text(trial.verdict.told)}</h1><p>{text(trial.verdict.reason)}</p>"
        f'<p class="quiet">{halves} gave every figure here.{escape(truth)}</p></header>\n'
    )


def _meaning(trial: Trial) -> str:
    means = (_MEANS if trial.data.has_labels else _AGREES).get(trial.evaluation.task, "")
    return f" {means.format(tolerance=trial.tuned.file.tolerance or 0.0)}" if means else ""


def _tiles(trial: Trial) -> str:
    right = _RIGHT[trial.evaluation.task] if trial.data.has_labels else "the cloud's answers"
    tiles = [
        (
            "cloud calls",
            percent(trial.escalated.value),
            f"{interval(trial.escalated)}; {percent(trial.evaluation.saved)} saved",
        ),
        (right, percent(trial.tiered.accuracy.value), f"{interval(trial.tiered.accuracy)}"),
        (
            "against the cloud",
            points(trial.gain.value),
            f"points ({points(trial.gain.low)} to {points(trial.gain.high)})",
        ),
        (
            "a device-month",
            usd(trial.tiered.month.usd),
            f"instead of {usd(trial.cloud_alone.month.usd)}",
        ),
    ]
    cells = "".join(
        f'<div class="tile"><span class="label">{name}</span><b>{value}</b><span>{beside}</span></div>'
        for name, value, beside in tiles
    )
    return f'<div class="tiles">{cells}</div>\n'


def _curve_title(trial: Trial) -> str:
    if not trial.data.has_labels:
        return "Agreement against cloud calls"
    right = "accuracy" if trial.evaluation.task is Task.CLASSIFY else _RIGHT[trial.evaluation.task]
    return f"{right.capitalize()} against cloud calls"


def _curve(trial: Trial) -> str:
    what = _RIGHT[trial.evaluation.task] if trial.data.has_labels else "answers that are the cloud's"
    base = trial.evaluation.curve.baselines
    moves = trial.tuned.policy.share is not None
    moving = "; its threshold moves, so that it may lie beside the line" if moves else ""
    rows = [
        (
            "both",
            "tiered",
            f"{percent(trial.tiered.accuracy.value)} {what} at {percent(trial.escalated.value)} of the calls",
            interval(trial.tiered.accuracy) + moving,
        ),
        (
            "cloud",
            "cloud alone",
            percent(trial.cloud_alone.accuracy.value),
            interval(trial.cloud_alone.accuracy),
        ),
        ("edge", "edge alone", percent(trial.edge_alone.accuracy.value), interval(trial.edge_alone.accuracy)),
        (
            "none",
            f"always “{escape(base.majority_label)}”",
            percent(base.majority),
            "no model at all, to compare with",
        ),
    ]
    if not trial.data.has_labels:
        rows = [row for row in rows if row[0] != "cloud"]
    legend = "".join(
        f'<li><i class="{name}"></i><span><b>{who}</b> {value} '
        f'<span class="quiet">{beside}</span></span></li>'
        for name, who, value, beside in rows
    )
    narrow = chart_of(trial, 350, 300).replace('role="img"', 'aria-hidden="true"')
    points_of = _points(trial)
    return (
        f'<figure>{chart_of(trial, 760, 380)}{narrow}<p class="tip" hidden></p><ul class="legend">{legend}'
        f"</ul></figure>{points_of}"
    )


def _points(trial: Trial) -> str:
    """The curve for the script that shows values under the pointer."""
    curve = trial.evaluation.curve
    order = curve.escalated.argsort(kind="stable")
    table = [
        [round(float(values[i]), 5) for i in order]
        for values in (curve.escalated, curve.accuracy, curve.threshold)
    ]
    return f'<script type="application/json" id="curve">{json.dumps(table)}</script>'


def _month(trial: Trial) -> str:
    calls = trial.calls_per_day
    return (
        f"{month_table(trial)}"
        f'<p class="quiet">One device that answers {count(calls)} requests a day for 30 days. Bytes are '
        "request bodies on their way up; answers, headers and encryption come on top. The device itself and "
        "the people who run it are not counted.</p>"
        f"<details><summary>Which prices these are</summary>{price_table(trial)}"
        "<p>List prices of one example set-up: give your own with <code>--prices FILE</code>.</p></details>"
    )


def _promise(trial: Trial) -> str:
    policy, promise = trial.tuned.policy, trial.tuned.promise
    at = threshold(policy.threshold)
    held = (
        f"{percent(policy.share)} of the calls go up: the threshold starts at {at} and moves to hold that"
        if policy.share is not None
        else f"An answer stays on the device where the edge's confidence is at least {at}"
    )
    seen = (
        f"{percent(trial.lost.value)} of the answers are lost ({interval(trial.lost)}): given by the edge, "
        f"wrongly, where the cloud is right. {text(_sentence(trial.evaluation.promise.told))}"
    )
    rows = [
        ("threshold", f"{held}."),
        (
            "promised" if promise.scope in ("rows", "groups") else "no promise",
            text(_sentence(promise.reason)),
        ),
        ("seen here", seen),
    ]
    if policy.temperature != 1:
        value = short(policy.temperature)
        rows.append(
            (
                "temperature",
                f"The edge's scores are read at {value}: 1 takes them as they are, less makes it surer.",
            )
        )
    off = trial.evaluation.calibration_error
    if off is not None:
        told = (
            f"How sure the edge says it is differs from how often it is right by {percent(off.value)} on "
            f"average ({interval(off)}; the expected calibration error)."
        )
        rows.append(("confidence", told))
    listed = "".join(f"<dt>{name}</dt><dd>{told}</dd>" for name, told in rows)
    return f"<dl>{listed}</dl>"


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def _commands(trial: Trial) -> str:
    lines = [("do this again", trial.commands.repeat), *trial.commands.following]
    return "".join(f'<p class="do">{escape(what)}</p><pre>{_typed(line)}</pre>' for what, line in lines)


def _typed(command: str) -> str:
    """A command, of which no flag is parted after its hyphens."""
    return re.sub(r"(?<!\S)(--?[a-z-]+)", r'<span class="range">\1</span>', escape(command))


def _foot(trial: Trial) -> str:
    notes = _list(trial.notes) if trial.notes else ""
    seed = figure(trial.data.seed, str(trial.data.seed))
    by = "groups" if trial.data.groups is not None else "rows"
    recall = (
        f"<details><summary>How often each class is found</summary>{recall_table(trial)}</details>"
        if trial.evaluation.tiered.recall
        else ""
    )
    return (
        f"<footer>{recall}"
        "<details><summary>How this was measured</summary>"
        f"<p>The {by} were parted in two by the seed {seed}. Intervals are 95 % intervals over the drawing "
        f"of {by}. The threshold was chosen on one half and met the other for the first time here.</p>{notes}"
        f'</details><p class="quiet">Made by halocline try on {escape(trial.made)}. This page asks no '
        "server for anything.</p></footer>"
    )


def _resource(name: str) -> str:
    return resources.files("halocline.trial").joinpath(name).read_text(encoding="utf-8")
