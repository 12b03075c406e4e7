"""Read and write what novelty was learnt: the arrays, in a file beside the policy that names it by digest."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from halocline.errors import Misconfigured
from halocline.stats.novelty import Novelty

MAX_FILE_BYTES = 256 << 20
"""8,000 features take as much; nobody waits for a distance over more."""


class Side(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a policy says of its novelty: the numbers to read, and which file holds the arrays."""

    cut: float
    file: str
    digest: str
    output: str = ""


def write(policy: Path, novelty: Novelty, put: Callable[[Path, bytes], None]) -> Side:
    """Put the arrays beside the policy, under a name that their digest makes unique."""
    content = _bytes_of(novelty)
    side = _side(novelty, content, policy.stem)
    put(policy.with_name(side.file), content)
    return side


def side_of(novelty: Novelty) -> Side:
    """What a policy would say of it."""
    return _side(novelty, _bytes_of(novelty), "policy")


def read(policy: Path, side: Side) -> Novelty:
    """The novelty that a policy names. Raises Misconfigured (HAL-110) where it is not that one."""
    file = policy.with_name(Path(side.file).name)
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as exc:
        raise Misconfigured(
            "HAL-110", f"novelty.file {file.name} cannot be read beside it: {exc.strerror}. Copy both files"
        ) from None
    seen = _digest(content)
    if seen != side.digest:
        raise Misconfigured(
            "HAL-110",
            f"novelty.file {file.name} is not the one that belongs to it: expected {side.digest[:19]}…, "
            f"got {seen[:19]}…. Copy both files, or tune again",
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            means, precision = arrays["means"], arrays["precision"]
    except (ValueError, KeyError, OSError) as exc:
        raise Misconfigured(
            "HAL-110", f"novelty.file {file.name} holds no means and precision: {exc}"
        ) from None
    return Novelty(side.output, means, precision, side.cut)


def _side(novelty: Novelty, content: bytes, stem: str) -> Side:
    digest = _digest(content)
    name = f"{stem}.novelty-{digest.removeprefix('sha256:')[:8]}.npz"
    return Side(cut=novelty.cut, file=name, digest=digest, output=novelty.output)


def _bytes_of(novelty: Novelty) -> bytes:
    out = io.BytesIO()
    np.savez(out, means=novelty.means, precision=novelty.precision)
    return out.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
