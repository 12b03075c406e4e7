"""Read the policy that a caller gave: a value, or a file that says what it was made with."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from halocline.decide.promise import Promise
from halocline.errors import Misconfigured
from halocline.ports import Model
from halocline.records import Task

if TYPE_CHECKING:
    from halocline.wire.policy_file import PolicyFile


class HasFile(Protocol):
    """What holds a policy file, as `halocline.tuning.Tuned` does."""

    @property
    def file(self) -> "PolicyFile":
        """The policy with what it promises."""


def file_of(given: object, edge: Model) -> "PolicyFile":
    """The policy file given, or the one at the path given, if it was made for this edge model.

    Raises Misconfigured: HAL-102 (neither), HAL-110 (no such policy), HAL-207 (made for another model).
    """
    where = ""
    given = getattr(given, "file", given)  # what `tune` gives holds one
    if isinstance(given, str | os.PathLike):
        from halocline.wire.policy_file import read_policy

        where = f"{Path(given)}: "
        file = read_policy(given)
    elif hasattr(given, "edge_digest"):
        # made anew, so that it is compared with what was tuned: the thresholds by class can be written to
        file = msgspec.structs.replace(cast("PolicyFile", given))
    else:
        raise Misconfigured(
            "HAL-102", f"policy must be a Policy, a PolicyFile, what tune gives, or a path, got {given!r}"
        )
    seen: str = getattr(edge, "digest", "") if file.edge_digest else ""
    if seen and seen != file.edge_digest:
        raise Misconfigured(
            "HAL-207",
            f"{where}the policy was made for the edge model {_short(file.edge_digest)}, and "
            f"{edge.spec.ref} is {_short(seen)}. Load that model, or make a policy for this one: "
            "halocline tune",
        )
    made_for = file.task or Task.CLASSIFY
    if made_for != edge.spec.task:
        raise Misconfigured(
            "HAL-207",
            f"{where}the policy was made for a model that is to {made_for}, and {edge.spec.ref} is said to "
            f"{edge.spec.task}. Make a policy for this one: halocline tune",
        )
    if not seen and file.promise.scope != "none":
        unknown = Promise(
            scope="none",
            reason="no promise: whether the policy was made for this edge model is not known (no digest)",
        )
        return msgspec.structs.replace(file, promise=unknown)
    return file


def is_changed(file: "PolicyFile") -> bool:
    """Whether the file lost its promise because it was changed since it was tuned."""
    from halocline.wire.policy_file import CHANGED

    return file.promise.scope == "none" and file.promise.reason == CHANGED


def is_same_cloud(file: "PolicyFile", cloud: object) -> bool | None:
    """Whether the cloud given has the bytes that the policy was made with; None where that cannot be told."""
    seen = getattr(cloud, "digest", "") if file.cloud_digest else ""
    return seen == file.cloud_digest if seen else None


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12] + "…"
