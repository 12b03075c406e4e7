"""Say in plain words what a promise rests on, or why there is none and how much data would do."""

from collections.abc import Mapping

import numpy as np

from halocline.decide.evidence import Evidence
from halocline.decide.targets import MaxLoss
from halocline.stats.bounds import groups_for_loss


def percent(share: float) -> str:
    """A share as people read it: 0.0994 is "9.94 %"."""
    return f"{100 * share:.3g} %"


def count_of_groups(evidence: Evidence) -> int | None:
    """How many groups the rows come from; None where that is not known."""
    return None if evidence.group is None else len(np.unique(evidence.group))


def proven(readings: tuple[Evidence, ...], target: MaxLoss, loss: float, floors: Mapping[int, float]) -> str:
    """What is promised, for whom, and how it was proven: by all rows, and by the distinct ones if given."""
    evidence = readings[0]
    groups = count_of_groups(evidence)
    whom = "more rows like these" if groups is None else "new groups like these"
    what = f"{evidence.rows} rows" if groups is None else f"{groups} groups ({evidence.rows} rows)"
    if len(readings) > 1:
        what += f" and on the {readings[1].rows} distinct ones alone"
    kept = "".join(f", and the recall of class {i} is at least {percent(r)}" for i, r in floors.items())
    line = (
        f"for {whom}, at most {percent(loss)} of the answers are lost against the cloud{kept}; "
        f"tested on {what}, a draw of which misleads with a probability of at most {percent(target.alpha)}"
    )
    if evidence.truth == "cloud":
        line += "; without labels, the cloud's answers are taken as the truth"
    return line


def too_few(evidence: Evidence, target: MaxLoss, alpha: float, least: float) -> str:
    """Why the loss asked for cannot be proven at any threshold, and how much data would do."""
    groups = count_of_groups(evidence)
    units, name = (evidence.rows, "rows") if groups is None else (groups, "groups")
    name = name if units != 1 else name[:-1]
    needed = groups_for_loss(target.loss, alpha)
    if units < needed:
        return (
            f"{units} {name} cannot prove a loss below {percent(least)}; {percent(target.loss)} needs at "
            f"least {needed}, more where some of them lose"
        )
    return (
        f"even at the highest threshold these {units} {name} prove no loss below {percent(least)}, because "
        f"answers of confidence 1 are wrong too often for {percent(target.loss)}; a temperature tells such "
        "answers apart"
    )


def instead(evidence: Evidence, target: MaxLoss, why: str, share: float) -> str:
    """That there is no promise, why, and what is held in its place."""
    return (
        f"no loss is promised: {why}. Instead {percent(share)} of the rows go up: on these {evidence.rows} "
        f"rows that lost at most {percent(target.loss)}, on others it may lose more"
    )
