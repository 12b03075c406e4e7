"""Tell which form of a set a folder holds, and whether its files are those of the set."""

import hashlib
from pathlib import Path

from halocline.demo.datasets.public.facts import File, Form, PublicSet
from halocline.errors import Misconfigured, Untrusted


def form_in(folder: Path, known: PublicSet) -> Form:
    """The form that the folder holds whole. Raises Misconfigured (HAL-304) naming what is missing."""
    if not folder.is_dir():
        raise Misconfigured("HAL-304", f"{folder} is not a folder (looked in {Path.cwd()})")
    missing = {form: [f.name for f in form.files if not (folder / f.name).exists()] for form in known.forms}
    whole = [form for form, names in missing.items() if not names]
    if whole:
        return whole[0]
    told = "; or ".join(", ".join(names) for names in missing.values())
    inside = [
        each
        for each in sorted(folder.iterdir())
        if any(all((each / file.name).exists() for file in form.files) for form in known.forms)
    ]
    hint = f". Did you mean {inside[0]}?" if inside else ""
    raise Misconfigured("HAL-304", f"{folder} does not hold the set {known.name}: it lacks {told}{hint}")


def check_digests(folder: Path, form: Form) -> None:
    """Raise Untrusted (HAL-323) unless every file is byte for byte the one known."""
    for file in form.files:
        check_digest(folder / file.name, file)


def check_digest(path: Path, file: File) -> None:
    """Raise Untrusted (HAL-323) unless it is the one known."""
    kind, _, wanted = file.digest.partition(":")
    found = tree_digest(path) if kind == "tree" else _digest(path, kind)
    if found != wanted:
        raise Untrusted(
            "HAL-323",
            f"{path} has the digest {kind}:{found[:12]}…, the set's has {kind}:{wanted[:12]}…: it is another "
            "file, or damaged. Get it again from its source",
        )


def tree_digest(folder: Path) -> str:
    """SHA-256 over the name, a zero byte and the SHA-256 of each file in the folder, by name."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + b"\0" + bytes.fromhex(_digest(path, "sha256")))
    return found.hexdigest()


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
