"""Read what a caller gave to `Tiered`, or say what is wrong with it."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy, Score
from halocline.edge.inprocess import Function, upstream_of_function, upstream_of_model
from halocline.errors import Misconfigured
from halocline.ports import Model, Upstream
from halocline.records import Mode

Choice = TypeVar("Choice", Mode, Score)


def upstream_of(cloud: Upstream | Model | Function) -> Upstream:
    """Anything that predicts, as an Upstream. Raises Misconfigured (HAL-102) for anything else."""
    if hasattr(cloud, "call") and hasattr(cloud, "send"):
        return cast(Upstream, cloud)
    if hasattr(cloud, "conform_batch") and hasattr(cloud, "run"):
        return upstream_of_model(cast(Model, cloud))
    if callable(cloud):
        return upstream_of_function(cloud)
    raise Misconfigured(
        "HAL-102",
        f"cloud must be what connect() or load() gives, or a function, got {type(cloud).__name__}",
    )


def choice(kind: type[Choice], name: str, value: str) -> Choice:
    """The member of that name. Raises Misconfigured (HAL-102) naming those there are."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise Misconfigured("HAL-102", f"{name} must be one of {known}, got {value!r}") from None


def seconds(name: str, value: float) -> float:
    """A duration above 0. Raises Misconfigured (HAL-101) otherwise."""
    if isinstance(value, (int, float)) and 0 < value < float("inf"):
        return value
    raise Misconfigured("HAL-101", f"{name} must be a number of seconds above 0, got {value!r}")


def policy_of(
    threshold: float | None,
    score: Score | str,
    temperature: float,
    class_thresholds: Mapping[int | str, float] | None,
    budget: EscalationBudget | None,
    labels: Sequence[str] | None,
) -> Policy:
    """The policy that these arguments say. Raises Misconfigured (HAL-101, HAL-102)."""
    return Policy(
        threshold=0.8 if threshold is None else threshold,
        score=choice(Score, "score", score),
        temperature=temperature,
        class_thresholds=_by_index(class_thresholds or {}, labels),
        budget=budget,
    )


def _by_index(thresholds: Mapping[int | str, float], labels: Sequence[str] | None) -> dict[int, float]:
    known = list(labels or ())
    result = {}
    for key, value in thresholds.items():
        if isinstance(key, str):
            if key not in known:
                raise Misconfigured(
                    "HAL-102", f"class_thresholds: {key!r} is no label; known are {known or 'none'}"
                )
            result[known.index(key)] = value
        else:
            result[int(key)] = value
    return result
