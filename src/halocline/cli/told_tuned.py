"""Print what tuning found: the threshold, what it costs, what is promised and for whom."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from halocline.cli.output import print_table
from halocline.cli.tiers import Tiers
from halocline.cli.told_evaluation import evaluation_lines, share_told, size
from halocline.cli.told_policy import policy_dict, threshold_told
from halocline.cli.words import interval, lines_of, percent, print_block, short_digests, threshold
from halocline.decide.told import counted
from halocline.tuning import Evaluation, Tuned
from halocline.tuning.curve import Point
from halocline.tuning.desk import CloudCost


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One tuning as the command tells it."""

    tiers: Tiers
    tuned: Tuned
    test: Evaluation | None
    unread: tuple[str, ...]
    before: str | None
    changes: list[str] | None
    out: Path | None
    drawn: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        curve = self.tuned.curve
        return {
            "edge_file": self.tiers.edge,
            "cloud_place": self.tiers.cloud,
            "data_file": str(self.tiers.data),
            "rows": self.tuned.rows,
            "groups": self.tuned.groups,
            "asked": self.tuned.cost,
            **policy_dict(self.tuned.file),
            "chosen": curve.chosen,
            "accuracy": curve.accuracy_there,
            "curve": curve.as_dict(),
            "warnings": self.tuned.warnings,
            "notes": (*self.tuned.notes, *self.unread),
            "test": None if self.test is None else self.test.as_dict(),
            "before": self.before,
            "changes": self.changes,
            "out": None if self.out is None else str(self.out),
            "drawn": [str(path) for path in self.drawn],
        }

    def print(self) -> None:
        """For people."""
        tuned = self.tuned
        print_block(self._given())
        print()
        print_block(
            [
                ("threshold", threshold_told(tuned.policy)),
                ("costs", _costs(tuned)),
                ("promised", tuned.promise.reason),
                ("brings", _brings(tuned)),
            ]
        )
        print()
        _print_curve(tuned)
        print_list("Be wary:", (*self.unread, *tuned.warnings))
        print_list("To know:", tuned.notes)
        if self.test is not None:
            print("\nOn other rows:")
            print_block(evaluation_lines(self.test))
        if self.changes is not None:
            print_list(f"Changed against {self.before}:", _shortened(self.changes) or ["nothing"])
        print()
        print_block(self._next())

    def _given(self) -> list[tuple[str, str]]:
        tuned = self.tuned
        return [
            ("edge", self.tiers.edge),
            ("cloud", f"{self.tiers.cloud} ({tuned.file.cloud}): {told_cost(tuned.cost)}"),
            ("data", f"{self.tiers.data}: {_data(tuned)}"),
        ]

    def _next(self) -> list[tuple[str, str]]:
        drawn = [("drawn", ", ".join(map(str, self.drawn)))] if self.drawn else []
        if self.out is None:
            return [*drawn, ("written", "nothing, as --dry-run says")]
        policy = str(self.out)
        models = f"--edge {self.tiers.edge} --cloud {self.tiers.cloud}"
        return [
            *drawn,
            ("written", policy),
            ("use it", f'hc.Tiered(edge, cloud, policy="{policy}")'),
            ("check it", f"halocline evaluate {models} --policy {policy} --data OTHER.npz"),
        ]


def _shortened(changes: list[str]) -> list[str]:
    """The changes without the promise's reason, which stands above, and with the heads of digests."""
    kept = [line for line in changes if not line.startswith("promise.reason:")]
    return [short_digests(line) for line in kept]


def told_cost(cost: CloudCost) -> str:
    """What asking the cloud took."""
    if not cost.calls:
        return f"no call made, all {cost.rows_known} answers are known from before"
    rows, calls = counted(cost.rows_asked, "row"), counted(cost.calls, "call")
    known = f"; {cost.rows_known} answers were known" if cost.rows_known else ""
    return f"{rows} asked in {calls}, {size(cost.bytes_up)} up{known}"


def _data(tuned: Tuned) -> str:
    rows = counted(tuned.rows, "row")
    labels = (
        "with labels"
        if tuned.curve.truth == "labels"
        else "without labels: the cloud's answers are the truth"
    )
    return f"{rows} {labels}" + (f", of {counted(tuned.groups, 'group')}" if tuned.groups is not None else "")


def _costs(tuned: Tuned) -> str:
    there = tuned.curve.chosen
    up = round(there.escalated * 1000)
    money = (
        ""
        if there.cost_usd is None
        else f"; {there.cost_usd * 1000:.4g} USD per 1,000 requests, mistakes included"
    )
    return (
        f"{percent(there.escalated)} of the calls: of 1,000 requests {up} go up, {1000 - up} are saved{money}"
    )


def _brings(tuned: Tuned) -> str:
    curve = tuned.curve
    base = curve.baselines
    right = share_told(tuned.file.task or "classify")
    what = right if curve.truth == "labels" else "agreement with the cloud"
    cloud = f"cloud alone {percent(base.cloud)}, " if curve.truth == "labels" else ""
    return (
        f"{what} {interval(curve.accuracy_there)} together; {cloud}edge alone {percent(base.edge)}, "
        f"always {base.majority_label!r} {percent(base.majority)}"
    )


def _print_curve(tuned: Tuned) -> None:
    curve = tuned.curve
    priced = curve.cost_usd is not None
    right = "agreement"
    if curve.truth == "labels":
        right = "accuracy" if tuned.file.task is None else "right"
    columns = ["", "threshold", "go up", "calls per 1,000", right, "lost"]
    if priced:
        columns.append("USD per 1,000")
    rows = [_curve_row(point, is_chosen=point is curve.chosen, priced=priced) for point in curve.table()]
    print_table(columns, rows, numbers=True)


def _curve_row(point: Point, *, is_chosen: bool, priced: bool) -> list[str]:
    cells = [
        "→" if is_chosen else "",
        threshold(point.threshold),
        percent(point.escalated),
        str(round(point.escalated * 1000)),
        percent(point.accuracy),
        percent(point.loss),
    ]
    return [*cells, f"{(point.cost_usd or 0) * 1000:.4g}"] if priced else cells


def print_list(title: str, lines: Iterable[str]) -> None:
    """Print lines under a title; nothing where there is none."""
    told = list(lines)
    if told:
        print(f"\n{title}")
        for line in told:
            for text in lines_of(line, first="- ", rest="  "):
                print(text)
