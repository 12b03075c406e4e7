"""Read what a caller gave to `Tiered`, or say what is wrong with it."""

import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeVar, cast

from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy, Score
from halocline.edge.sending import Send
from halocline.errors import Misconfigured
from halocline.ports import Function, Model, Upstream
from halocline.records import Mode

if TYPE_CHECKING:
    from halocline.edge.policies import HasFile
    from halocline.wire.policy_file import PolicyFile

LONGEST_S = 86_400
"""The system's waits overflow at some length; a deadline of more than a day is a mistake anyway."""

Choice = TypeVar("Choice", Mode, Score, Send)


def edge_of(edge: Model) -> Model:
    """The edge model. Raises Misconfigured (HAL-102) where it is none."""
    if hasattr(edge, "conform") and hasattr(edge, "run"):
        return edge
    raise Misconfigured("HAL-102", f'edge must be what load() gives, got {edge!r}. Try hc.load("edge.onnx")')


def upstream_of(cloud: Upstream | Model | Function) -> Upstream:
    """Anything that predicts, as an Upstream. Raises Misconfigured (HAL-102) for anything else."""
    if hasattr(cloud, "call") and hasattr(cloud, "send"):
        return cast(Upstream, cloud)
    from halocline.edge.inprocess import upstream_of_function, upstream_of_model

    if hasattr(cloud, "conform_batch") and hasattr(cloud, "run"):
        return upstream_of_model(cast(Model, cloud))
    if callable(cloud):
        return upstream_of_function(cloud)
    made = f"connect({cloud!r})" if "://" in str(cloud) else 'load("cloud.onnx")'
    raise Misconfigured(
        "HAL-102",
        f"cloud must be what connect() or load() gives, or a function, got {cloud!r}. Try hc.{made}",
    )


def choice(kind: type[Choice], name: str, value: str) -> Choice:
    """The member of that name. Raises Misconfigured (HAL-102) naming those there are."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise Misconfigured("HAL-102", f"{name} must be one of {known}, got {value!r}") from None


def seconds(name: str, value: float) -> float:
    """A duration above 0, a day at most. Raises Misconfigured (HAL-101) otherwise."""
    if isinstance(value, Real) and 0 < value <= LONGEST_S:
        return float(value)
    raise Misconfigured(
        "HAL-101", f"{name} must be a number of seconds above 0, and {LONGEST_S} at most, got {value!r}"
    )


def policy_of(
    policy: "Policy | PolicyFile | HasFile | str | os.PathLike[str] | None",
    edge: Model,
    threshold: float | None,
    score: Score | str,
    temperature: float,
    class_thresholds: Mapping[int | str, float] | None,
    budget: EscalationBudget | None,
) -> "tuple[Policy, PolicyFile | None]":
    """The policy given, with the file that it stands in, or the one that the arguments say.

    Raises Misconfigured (HAL-101, HAL-102, HAL-110, HAL-207).
    """
    said = Policy(
        threshold=0.8 if threshold is None else threshold,
        score=choice(Score, "score", score),
        temperature=temperature,
        class_thresholds=_by_index(class_thresholds or {}, edge.spec.labels),
        budget=budget,
    )
    if policy is None:
        return said, None
    if threshold is not None or said != Policy():
        raise Misconfigured(
            "HAL-102",
            "give policy=, or threshold=, score=, temperature=, class_thresholds= and budget=, not both: "
            "who owns them must be clear",
        )
    if isinstance(policy, Policy):
        return policy, None
    from halocline.edge.policies import file_of  # where no file is given, nothing of it is loaded

    file = file_of(policy, edge)
    return file.policy, file


def functions(**given: object) -> None:
    """Raise Misconfigured (HAL-102) unless each is a function or None."""
    for name, value in given.items():
        if value is not None and not callable(value):
            raise Misconfigured("HAL-102", f"{name} must be a function, got {value!r}")


def _by_index(thresholds: Mapping[int | str, float], labels: Sequence[str] | None) -> dict[int, float]:
    if not isinstance(thresholds, Mapping):
        raise Misconfigured(
            "HAL-102", f"class_thresholds must be {{label or class index: threshold}}, got {thresholds!r}"
        )
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
            if not isinstance(key, Integral):
                raise Misconfigured("HAL-102", f"class_thresholds: {key!r} is neither label nor class index")
            result[int(key)] = value
    return result
