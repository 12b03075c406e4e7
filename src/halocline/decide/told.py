"""Say in plain words what a promise rests on, or why there is none and how much data would do."""

import math
from collections.abc import Mapping

import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.targets import MaxLoss
from halocline.stats.bounds import groups_for_loss


def percent(share: float) -> str:
    """A share as people read it: 0.0994 is "9.94 %"."""
    return f"{100 * share:.3g} %"


def signed_points(difference: float) -> str:
    """A difference of shares in points with its sign; only no difference at all is 0.00, without one."""
    if difference == 0:
        return "0.00"
    digits = 3 if 0 < abs(difference) < 5e-5 else 2
    return f"{difference * 100:+.{digits}f}".replace("-", "−")  # noqa: RUF001 - a minus


def counted(count: int, noun: str) -> str:
    """A count with its noun: "1 row", "2,000 rows"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def count_of_groups(evidence: Evidence) -> int | None:
    """How many groups the rows come from; None where that is not known."""
    return None if evidence.group is None else len(np.unique(evidence.group))


def these_rows(evidence: Evidence) -> str:
    """The rows at hand, as a sentence names them."""
    return "this 1 row" if evidence.rows == 1 else f"these {evidence.rows:,} rows"


def uneven(loss: float, promised: float) -> str:
    """That the rows lose more than their groups do on average, and what it means."""
    return (
        f"{percent(loss)} of all rows are lost here, more than the {percent(promised)} promised: the "
        "promise counts every group alike, and the groups with most rows lose more than the others"
    )


def proven(readings: tuple[Evidence, ...], target: MaxLoss, loss: float, floors: Mapping[int, float]) -> str:
    """What is promised, for whom, and how it was proven: by all rows, and by the distinct ones if given."""
    evidence = readings[0]
    groups = count_of_groups(evidence)
    whom = "more rows like these" if groups is None else "new groups like these"
    rows = counted(evidence.rows, "row")
    what = rows if groups is None else f"{counted(groups, 'group')} ({rows})"
    if len(readings) > 1:
        what += f" and on the {readings[1].rows} distinct ones alone"
    whose, mean = ("the", "") if groups is None else ("a group's", ", on average over such groups")
    kept = "".join(f", and the recall of class {i} is at least {percent(r)}" for i, r in floors.items())
    line = (
        f"for {whom}, at most {percent(loss)} of {whose} answers are lost against the cloud{kept}{mean}; "
        f"tested on {what}, a draw of which misleads with a probability of at most {percent(target.alpha)}"
    )
    if evidence.truth == "cloud":
        line += "; without labels, the cloud's answers are taken as the truth"
    return line + _never_right(evidence)


def too_few(evidence: Evidence, target: MaxLoss, alpha: float, least: float) -> str:
    """Why the loss asked for cannot be proven at any threshold, and how much data would do."""
    groups = count_of_groups(evidence)
    units = evidence.rows if groups is None else groups
    what = counted(units, "row" if groups is None else "group")
    needed = groups_for_loss(target.loss, alpha)
    if units < needed:
        return (
            f"{what} cannot prove a loss below {percent(least)}; {percent(target.loss)} needs at "
            f"least {needed}, more where some of them lose"
        )
    return (
        f"even at the highest threshold {what} prove no loss below {percent(least)}, because "
        f"answers of confidence 1 are wrong too often for {percent(target.loss)}; a temperature tells such "
        "answers apart"
    )


def hardly(share: float, why: str, least: float) -> str:
    """That a policy without a promise goes up next to never, what would do, and what can be had instead."""
    provable = math.ceil(least * 1000) / 1000  # rounded up, so that it is provable as it is read
    return (
        f"this policy hardly ever asks the cloud ({percent(share)} of the rows go up) and promises no loss: "
        f"{why}; what these data can prove is a loss of {percent(provable)}, if asked for it; "
        "until there are more, ask for a share of calls that you can bear"
    )


def _never_right(evidence: Evidence) -> str:
    if not evidence.edge_correct.any():
        return "; the edge is wrong in every one of these rows: check its labels before relying on this"
    if not evidence.cloud_right.any():
        return "; the cloud is right in none of these rows, so nothing can be lost to it: check its labels"
    return ""


def instead(evidence: Evidence, target: MaxLoss, why: str, share: float) -> str:
    """That there is no promise, why, and what is held in its place."""
    return (
        f"no loss is promised: {why}. Instead {percent(share)} of the rows go up: on "
        f"{these_rows(evidence)} that lost at most {percent(target.loss)}, on others it may lose more"
        f"{_never_right(evidence)}"
    )
