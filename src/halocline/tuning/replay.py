"""Say which rows a policy sends up, from what the edge model said of them."""

import numpy as np

from halocline.decide import track
from halocline.decide.allowance import EscalationBudget, replayed
from halocline.decide.gate import NO_CLASS, Policy, confidence_of, sureness_of, thresholds_of
from halocline.decide.scores import probabilities
from halocline.errors import Misconfigured
from halocline.records import Array, ModelSpec
from halocline.stats.novelty import Novelty, distances, fit_novelty
from halocline.tuning.gathered import Gathered, verdicts

FOLDS = 5


def read_edge(seen: Gathered, policy: Policy) -> tuple[Array, Array]:
    """Class index and confidence `[rows]` of the edge's answers, as this policy reads them."""
    if seen.said is not None:
        return verdicts(seen.said.edge), seen.said.confidence
    assert seen.score_kind is not None  # the edge classifies
    return confidence_of(probabilities(seen.scores, seen.score_kind, policy.temperature), policy.score)


def goes_up(seen: Gathered, policy: Policy) -> Array:
    """Which rows `[rows]` want to go up under this policy, in their order; its budget may keep some."""
    index, confidence = read_edge(seen, policy)
    distance = (
        None if policy.novelty is None else distances(policy.novelty, features_of(seen, policy.novelty))
    )
    sureness = sureness_of(confidence, distance, 0.0 if policy.novelty is None else policy.novelty.cut)
    if policy.share is None:
        return np.asarray(sureness < thresholds_of(index, policy))
    fixed = None
    if policy.class_thresholds:
        fixed = np.asarray([policy.class_thresholds.get(each, np.nan) for each in index.tolist()])
    up, _ = track.track(track.start(policy.threshold), policy.share, sureness, fixed)
    return up


def within_budget(up: Array, budget: EscalationBudget | None, requests_per_s: float | None) -> Array | None:
    """Which of the rows that want `up` may go, asked one by one; all where there is no budget.

    None where that takes the rate of requests, which is not known.
    """
    if budget is None:
        return up
    if budget.per_minute is not None and requests_per_s is None:
        return None
    return np.asarray(replayed(budget, up.tolist(), requests_per_s), dtype=bool)


def is_beyond(seen: Gathered, novelty: Novelty) -> Array:
    """Which rows `[rows]` lie beyond the cut, and go up at any threshold; one without a distance does."""
    return ~(distances(novelty, features_of(seen, novelty)) <= novelty.cut)


def is_new(seen: Gathered, novelty: Novelty, truth: Array) -> Array:
    """Which rows `[rows]` are unlike the others: each measured by what four fifths that leave it out know.

    Measured by all rows, those that novelty was learnt from would look more alike than others will.
    """
    features = features_of(seen, novelty)
    order = np.argsort(truth, kind="stable")
    fold = np.empty(len(features), dtype=np.int64)
    fold[order] = np.arange(len(features)) % FOLDS
    distance = np.full(len(features), np.inf)
    for at in range(FOLDS):
        own, rest = fold == at, fold != at
        if own.any() and rest.sum() > 1:
            known = fit_novelty(
                features[rest], truth[rest], false_positive_share=0.5, held_out=features[rest]
            )
            distance[own] = distances(known, features[own])
    return ~(distance <= novelty.cut)


def features_of(seen: Gathered, novelty: Novelty | str) -> Array:
    """What novelty is measured on: an output of the edge model by name, or its one input.

    Raises Misconfigured (HAL-102) where there is no such output, or several inputs and no name.
    """
    name = novelty if isinstance(novelty, str) else novelty.output
    check_source(seen.edge, name)
    return _flat(seen.outputs[name] if name else next(iter(seen.inputs.values())))


def check_source(edge: ModelSpec, output: str) -> None:
    """Raise as `features_of` does where novelty cannot be measured on this output, "" for the input."""
    names = [each.name for each in edge.outputs]
    if output and output not in names:
        raise Misconfigured(
            "HAL-102",
            f"{edge.ref} has no output {output!r} to measure novelty on; there are {', '.join(names)}",
        )
    if not output and len(edge.inputs) > 1:
        raise Misconfigured(
            "HAL-102",
            f"{edge.ref} takes {len(edge.inputs)} inputs: say which output novelty is measured on "
            f"(novelty_output=, --novelty-output); there are {', '.join(names)}",
        )


def right(index: Array, truth: Array) -> Array:
    """Where the class is the true one, bool `[rows]`; a row without an answer is wrong."""
    return np.asarray((index == truth) & (index != NO_CLASS))


def _flat(array: Array) -> Array:
    return np.reshape(array, (len(array), -1))
