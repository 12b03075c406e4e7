"""Print what an evaluation found: both tiers alone and together, the bill, the promise."""

import math

from halocline.cli.output import print_table, seconds
from halocline.cli.words import interval, percent
from halocline.decide.told import counted
from halocline.records import Task
from halocline.tuning.evaluation import Bill, Evaluation
from halocline.tuning.gathered import Latency
from halocline.tuning.measures import Measure

MOST_CLASSES = 12


def print_figures(seen: Evaluation) -> None:
    """The table of both tiers alone and together, with 95 % intervals."""
    tiers = (seen.edge, seen.cloud, seen.tiered)
    rows = [[share_told(seen.task), *(interval(each.accuracy) for each in tiers)]]
    if seen.edge.recall:
        rows.append(["balanced accuracy", *(interval(each.balanced_accuracy) for each in tiers)])
    for measure in seen.measures:
        told = (measured(each, measure) for each in (measure.edge, measure.cloud, measure.tiered))
        rows.append([measure.name, *told])
    names = list(seen.edge.recall)
    if len(names) > MOST_CLASSES:
        names = sorted(names, key=lambda name: seen.tiered.recall[name].value)[:MOST_CLASSES]
    rows += [[f"recall of {name}", *(interval(each.recall[name]) for each in tiers)] for name in names]
    print_table(["", "edge alone", "cloud alone", "together"], rows, numbers=True)
    left = len(seen.edge.recall) - len(names)
    if left:
        print(f"({left} more classes, whose recall is better; --json has them all)")


def share_told(task: str) -> str:
    """What the share of right answers is called in a task."""
    return _SHARES[Task(task)]


_SHARES = {
    Task.CLASSIFY: "accuracy",
    Task.DETECT: "all right",
    Task.REGRESS: "within the tolerance",
    Task.SCORE: "right verdicts",
}


def measured(value: float | None, measure: Measure) -> str:
    """A figure of the task as people read it."""
    if value is None:
        return "-"
    return f"{value:.3f}" if measure.is_share else f"{value:.4g}"


def evaluation_lines(seen: Evaluation) -> list[tuple[str, str]]:
    """What else there is to say, as names and lines."""
    by = counted(seen.groups, "group") if seen.groups is not None else "rows"
    base = seen.curve.baselines
    always = percent(base.majority)
    cloud, edge = percent(seen.cloud.accuracy.value), percent(seen.edge.accuracy.value)
    lines = [
        (
            "rows",
            f"{seen.rows}; intervals are 95 %, over {by}; always {base.majority_label!r}: {always} right",
        ),
        ("goes up", f"{interval(seen.escalated)}: {percent(seen.saved)} of the calls saved"),
        (
            "right" if seen.task is not Task.CLASSIFY else "accuracy",
            f"{interval(seen.tiered.accuracy)} together, {cloud} cloud alone, {edge} edge alone",
        ),
        ("difference", seen.gain_told),
        ("lost", f"{interval(seen.lost)} answered at the edge, wrongly, where the cloud is right"),
        ("promise", seen.promise.told),
        ("takes", _bills(seen.bill, seen.cloud_bill)),
    ]
    if seen.calibration_error is not None:
        off = seen.calibration_error
        lines.append(
            (
                "confidence",
                f"off by {interval(off)} on average (expected calibration error of the edge)",
            )
        )
    return [*lines, ("time", _times(seen.edge_s, seen.cloud_s))]


def size(count_bytes: float) -> str:
    """Bytes as people read them."""
    for unit, whole in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= whole:
            return f"{count_bytes / whole:.1f} {unit}"
    return f"{count_bytes:.0f} B"


def _bills(ours: Bill, cloud: Bill) -> str:
    told = (
        f"{ours.calls:,} cloud calls instead of {cloud.calls:,}; {size(ours.bytes_up)} of request bodies "
        f"instead of {size(cloud.bytes_up)}"
    )
    if ours.usd is None or cloud.usd is None:
        return told
    per_1000 = 1000 / cloud.calls
    return (
        f"{told}; {_usd(ours.usd * per_1000)} USD per 1,000 requests instead of {_usd(cloud.usd * per_1000)}"
    )


def _usd(amount: float) -> str:
    """Three digits that count, never as a power of ten."""
    digits = 2 if amount >= 1 or amount == 0 else 2 - math.floor(math.log10(amount))
    return f"{amount:,.{digits}f}"


def _times(edge: Latency, cloud: Latency | None) -> str:
    told = f"edge {seconds(edge.p50_s)} a row (99 %: {seconds(edge.p99_s)})"
    if cloud is None:
        return f"{told}; the cloud was not timed"
    spread = f"99 %: {seconds(cloud.p99_s)}, over {cloud.calls} calls"
    return f"{told}; cloud {seconds(cloud.p50_s)} a call ({spread})"
