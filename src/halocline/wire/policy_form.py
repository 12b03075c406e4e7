"""Say how a policy and its promise are laid out in a file: which tables, which keys, and what they become."""

import hashlib
import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from halocline.decide.allowance import EscalationBudget
from halocline.decide.checks import check_number
from halocline.decide.gate import Policy, Score
from halocline.decide.personal import Personal, Start
from halocline.decide.promise import Promise
from halocline.errors import Misconfigured
from halocline.wire import novelty_file
from halocline.wire.toml import Value

VERSION = 1
CHANGED = "no promise any more: it was changed since it was tuned; tune again"
_NOT_SEALED = "none"
"""Stands for the digest of a file that has none: it is no file as it was tuned."""


OtherTask: TypeAlias = Literal["detect", "regress", "score"]


class PolicyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, what it promises, and what both were made with.

    Digests are `sha256:…` of the model's file and of the data tuned on; `cloud` is `name@version`;
    `tuned` the day, as YYYY-MM-DD; `halocline` the version that tuned. `disagreement` is the most, by
    those data, that the cloud differs from the edge's answers as a share of all rows: what spot checks
    may find. None where the cloud's word counted as the truth, so that the promised loss is that limit.
    `task` is what the models do, None where they classify; `tolerance` how far a regressor's value may be
    from the truth and counts as right.

    `policy_digest` tells policy, promise and what they were made with as they were tuned: left out, it is
    taken of what is given, and from then on it stays. Where something was changed since, the promise
    gives way to one of scope "none" that says so. Raises Misconfigured (HAL-101, HAL-110) for a promise
    that is out of range or not whole.
    """

    policy: Policy
    promise: Promise
    edge_digest: str
    cloud: str
    cloud_digest: str | None = None
    data_digest: str = ""
    tuned: str = ""
    halocline: str = ""
    disagreement: float | None = None
    policy_digest: str = ""
    task: OtherTask | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        check_promise(self.promise, self.disagreement)
        seen = _digest_of(self)
        if not self.policy_digest:
            msgspec.structs.force_setattr(self, "policy_digest", seen)
        elif self.policy_digest != seen and self.promise.scope != "none":
            msgspec.structs.force_setattr(self, "promise", Promise(scope="none", reason=CHANGED))


class _Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    share: float | None = None
    per_minute: float | None = None
    burst: float = 10.0


class _Personal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_loss: float
    alpha: float = 0.1
    start: Start = Start.FLEET
    lowest: float = 0.0
    highest: float = 1.0
    locked: bool = False


class _Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    threshold: float
    score: Score = Score.MAX_SOFTMAX
    temperature: float = 1.0
    share: float | None = None
    class_thresholds: dict[int, float] = {}
    budget: _Budget | None = None
    novelty: novelty_file.Side | None = None
    personal: _Personal | None = None


class _Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    scope: Literal["rows", "groups", "share", "none"]
    reason: str
    max_loss: float | None = None
    alpha: float | None = None
    rows: int = 0
    groups: int | None = None
    certified_loss: float | None = None
    share: float | None = None
    class_floors: dict[int, float] = {}


class _MadeWith(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    edge_digest: str
    cloud: str
    cloud_digest: str | None = None
    data_digest: str = ""
    tuned: str = ""
    halocline: str = ""
    disagreement: float | None = None
    policy_digest: str = ""
    task: OtherTask | None = None
    tolerance: float | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is read."""

    version: int
    policy: _Policy
    promise: _Promise
    made_with: _MadeWith

    def made(self, file: Path) -> PolicyFile:
        """The values; raises as `Policy` and `novelty_file.read` do."""
        told = self.policy
        policy = Policy(
            threshold=told.threshold,
            score=told.score,
            temperature=told.temperature,
            class_thresholds=told.class_thresholds,
            budget=None if told.budget is None else EscalationBudget(**msgspec.structs.asdict(told.budget)),
            novelty=None if told.novelty is None else novelty_file.read(file, told.novelty),
            share=told.share,
            personal=None if told.personal is None else Personal(**msgspec.structs.asdict(told.personal)),
        )
        promise = Promise(**msgspec.structs.asdict(self.promise))
        with_what = msgspec.structs.asdict(self.made_with)
        with_what["policy_digest"] = self.made_with.policy_digest or _NOT_SEALED
        return PolicyFile(policy=policy, promise=promise, **with_what)


def check_promise(promise: Promise, disagreement: float | None) -> None:
    """Raise Misconfigured for a promise that is out of range (HAL-101) or not whole (HAL-110)."""
    if promise.scope in ("rows", "groups"):
        for name in ("max_loss", "alpha"):
            if getattr(promise, name) is None:
                raise Misconfigured(
                    "HAL-110",
                    f"promise.{name} is missing, and the scope {promise.scope!r} needs it; tune again",
                )
    shares = {
        **{
            f"promise.{name}": getattr(promise, name)
            for name in ("max_loss", "alpha", "certified_loss", "share")
        },
        **{f"promise.class_floors.{index}": floor for index, floor in promise.class_floors.items()},
        "made_with.disagreement": disagreement,
    }
    for name, value in shares.items():
        if value is not None:
            check_number(name, value, 0.0, 1.0)
    for name in ("rows", "groups"):
        count = getattr(promise, name)
        if count is not None:
            check_number(f"promise.{name}", count, 0, math.inf, whole=True)


def tables(made: PolicyFile, side: novelty_file.Side | None) -> dict[str, dict[str, Value | None]]:
    """The tables of the file, in their order."""
    promise = made.promise
    with_what = {key: value for key, value in _fields(made).items() if key not in ("policy", "promise")}
    return {
        "": {"version": VERSION},
        **_policy_tables(made.policy, side),
        "promise": {key: value for key, value in _fields(promise).items() if key != "class_floors"},
        "promise.class_floors": _by_index(promise.class_floors),
        "made_with": with_what,
    }


def _policy_tables(policy: Policy, side: novelty_file.Side | None) -> dict[str, dict[str, Value | None]]:
    return {
        "policy": {
            "threshold": policy.threshold,
            "score": policy.score.value,
            "temperature": policy.temperature,
            "share": policy.share,
        },
        "policy.class_thresholds": _by_index(policy.class_thresholds),
        "policy.budget": _fields(policy.budget),
        "policy.novelty": _fields(side),
        "policy.personal": _fields(policy.personal),
    }


def _digest_of(made: PolicyFile) -> str:
    """Tells whether the file is as it was tuned; the name of the side file does not matter.

    Nor does what a device may learn for itself: it changes no answer before the device has proven it, and
    then the promise is the device's own.
    """
    seen = hashlib.sha256()
    for table, values in tables(made, None).items():
        counts = values if table != "policy.personal" else {}
        told = {key: _plain(each) for key, each in counts.items() if each is not None}
        told.pop("policy_digest", None)
        seen.update(repr((table, sorted(told.items()))).encode())
    novelty = made.policy.novelty
    if novelty is not None:
        seen.update(repr((novelty.output, float(novelty.cut))).encode())
        for array in (novelty.means, novelty.precision):
            seen.update(repr((array.shape, array.dtype.str)).encode())
            seen.update(array.tobytes())
    return f"sha256:{seen.hexdigest()}"


def _plain(value: Value) -> str:
    """One text for each value: 1 and 1.0 are the same threshold."""
    return repr(float(value)) if isinstance(value, Real) else str(value)


def _fields(value: msgspec.Struct | None) -> dict[str, Any]:
    return {} if value is None else msgspec.structs.asdict(value)


def _by_index(values: Mapping[int, float]) -> dict[str, Value | None]:
    return {str(index): value for index, value in sorted(values.items())}


def flat(made: PolicyFile) -> dict[str, Value]:
    """Every setting by its dotted name, to compare."""
    side = None if made.policy.novelty is None else novelty_file.side_of(made.policy.novelty)
    laid_out = tables(made, side)
    return {
        f"{table}.{key}".lstrip("."): value
        for table, values in laid_out.items()
        for key, value in values.items()
        if value is not None and key not in ("policy_digest", "file")
    }


def known_at(problem: str) -> str:
    """Which settings there are, where the problem is one that is not known."""
    if "unknown field" not in problem:
        return ""
    at = problem.rsplit("$", 1)[-1].strip(".`")
    kinds: dict[str, type[msgspec.Struct]] = {
        "": Form,
        "policy": _Policy,
        "policy.budget": _Budget,
        "policy.personal": _Personal,
        "policy.novelty": novelty_file.Side,
        "promise": _Promise,
        "made_with": _MadeWith,
    }
    return f". Known are {', '.join(kinds[at].__struct_fields__)}" if at in kinds else ""
