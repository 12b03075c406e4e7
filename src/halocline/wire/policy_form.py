"""Say how a policy and its promise are laid out in a file: which tables, which keys, and what they become."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy, Score
from halocline.decide.personal import Personal, Start
from halocline.decide.promise import Promise
from halocline.wire import novelty_file
from halocline.wire.toml import Value, document

VERSION = 1


class PolicyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, what it promises, and what both were made with.

    Digests are `sha256:…` of the model's file and of the data tuned on; `cloud` is `name@version`;
    `tuned` the day, as YYYY-MM-DD; `halocline` the version that tuned. `disagreement` is the most, by
    those data, that the cloud differs from the edge's answers as a share of all rows: what spot checks
    may find. None where the cloud's word counted as the truth, so that the promised loss is that limit.
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
        if with_what.pop("policy_digest") != _policy_digest(policy, told.novelty):
            promise = Promise(
                scope="none",
                reason="no promise any more: [policy] was changed after it was tuned; tune again",
            )
        return PolicyFile(policy=policy, promise=promise, **with_what)


def tables(made: PolicyFile, side: novelty_file.Side | None) -> dict[str, dict[str, Value | None]]:
    """The tables of the file, in their order."""
    promise = made.promise
    return {
        "": {"version": VERSION},
        **_policy_tables(made.policy, side),
        "promise": {key: value for key, value in _fields(promise).items() if key != "class_floors"},
        "promise.class_floors": _by_index(promise.class_floors),
        "made_with": {
            "edge_digest": made.edge_digest,
            "cloud": made.cloud,
            "cloud_digest": made.cloud_digest,
            "data_digest": made.data_digest,
            "tuned": made.tuned,
            "halocline": made.halocline,
            "disagreement": made.disagreement,
            "policy_digest": _policy_digest(made.policy, side),
        },
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


def _policy_digest(policy: Policy, side: novelty_file.Side | None) -> str:
    """Tells whether [policy] is as it was tuned; the name of the side file does not matter."""
    told = document("", _policy_tables(policy, None))
    arrays = "" if side is None else f"{side.output} {side.cut!r} {side.digest}"
    return f"sha256:{hashlib.sha256(f'{told} {arrays}'.encode()).hexdigest()}"


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
