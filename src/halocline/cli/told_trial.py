"""Print what a trial found, and say what to type next."""

import dataclasses
import math
import shlex
from pathlib import Path

from halocline.cli.output import print_table, seconds
from halocline.cli.tiers import Tiers
from halocline.cli.told_evaluation import measured, size
from halocline.cli.told_tuned import print_list, told_cost
from halocline.cli.words import interval, percent, print_block
from halocline.decide.told import counted
from halocline.decide.worth import Answer
from halocline.trial import Trial
from halocline.trial.result import Commands

_OF_MODELS = ("labels", "scores", "score_output", "cloud_labels", "cloud_scores", "cloud_score_output")
_OF_LINK = ("token", "ca", "cert")


def models_of(tiers: Tiers) -> list[str]:
    """The flags that name both models and how they are read and reached."""
    said = ["--edge", tiers.edge, "--cloud", tiers.cloud]
    given = dataclasses.asdict(tiers)
    for name in (*_OF_MODELS, *_OF_LINK):
        if given[name] is not None:
            said += [f"--{name.replace('_', '-')}", str(given[name])]
    return said


def data_of(tiers: Tiers) -> list[str]:
    """The flags that name the data and how they are read."""
    grouped = [] if tiers.group_by is None else ["--group-by", tiers.group_by]
    reach = [] if tiers.tolerance is None else ["--tolerance", f"{tiers.tolerance:g}"]
    return ["--data", str(tiers.data), *grouped, *reach, *(["--strict"] if tiers.strict else [])]


def following(trial: Trial, tiers: Tiers, repeat: str, asked: list[str]) -> Commands:
    """What repeats this trial, and the two commands that its verdict leads to."""
    tune = shlex.join(
        ["halocline", "tune", *models_of(tiers), *data_of(tiers), *asked, "--out", "policy.toml"]
    )
    check = shlex.join(
        ["halocline", "evaluate", *models_of(tiers), "--policy", "policy.toml", "--data", "OTHER"]
    )
    looser = f"{100 * min(5 * trial.tolerance, 0.5):g}%"
    again = shlex.join(["halocline", "try", *models_of(tiers), *data_of(tiers), "--max-loss", looser])
    more = shlex.join(["halocline", "try", *models_of(tiers), "--data", "MORE", *asked])
    look = f"halocline doctor {shlex.quote(tiers.cloud)}"
    match trial.verdict.answer:
        case Answer.TIERED:
            steps = (("choose the threshold on all rows", tune), ("check it on rows of another day", check))
        case Answer.EDGE:
            serve = f"halocline serve {shlex.quote(tiers.edge)}"
            steps = (
                ("run the edge alone", serve),
                ("keep a cloud for what is new all the same", f"{tune} --novelty"),
            )
        case Answer.CLOUD:
            steps = ((f"see what losing {looser} would save", again), ("look at the cloud", look))
        case Answer.UNCLEAR:
            units = "rows" if trial.data.groups is None else "groups"
            steps = ((f"try with more {units}", more), (f"see what losing {looser} would save", again))
    return Commands(repeat, steps)


def print_trial(trial: Trial, out: Path) -> None:
    """The verdict, the three ways side by side, what to be wary of, and where the page lies."""
    print_block([(trial.verdict.answer.value, f"{trial.verdict.told} {trial.verdict.reason}")])
    print()
    ways = (trial.cloud_alone, trial.tiered, trial.edge_alone)
    right = "right" if trial.data.has_labels else "as the cloud"
    print_table(
        ["", "cloud alone", "tiered", "edge alone"],
        [
            [right, *(interval(way.accuracy) for way in ways)],
            *(
                [each.name, *(measured(value, each) for value in (each.cloud, each.tiered, each.edge))]
                for each in trial.evaluation.measures
            ),
            ["calls a month", *(f"{way.month.cloud_calls:,.0f}" for way in ways)],
            ["sent up", *(size(way.month.bytes_up) for way in ways)],
            ["USD", *(_usd(way.month.usd) for way in ways)],
            ["time to an answer", *(seconds(way.typical_s) for way in ways)],
        ],
        numbers=True,
    )
    data, link = trial.data, trial.times.link
    chosen = _half("row", data.rows_chosen_on, data.groups_chosen_on)
    shown = _half("other", data.rows_shown_on, data.groups_shown_on)
    print()
    print_block(
        [
            ("data", f"{chosen} chose the threshold, {shown} gave these figures"),
            ("goes up", f"{interval(trial.escalated)}: {percent(trial.evaluation.saved)} of the calls saved"),
            ("promised", trial.tuned.promise.reason),
            ("link", f"{link.name}, as modelled: {seconds(trial.times.link_s)} a call"),
            ("asked", told_cost(trial.asked)),
        ]
    )
    print_list("Be wary:", trial.warnings)
    print()
    print_block([("page", str(out)), *((what, line) for what, line in trial.commands.following)])


def _usd(amount: float) -> str:
    """Dollars as on the page: to the cent, or to two digits that count where it is less."""
    if amount == 0:
        return "0"
    return f"{amount:,.{2 if amount >= 1 else 1 - math.floor(math.log10(amount))}f}"


def _half(what: str, rows: int, groups: int | None) -> str:
    return counted(rows, what) + ("" if groups is None else f" of {counted(groups, 'group')}")
