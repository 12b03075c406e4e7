"""Put the parts of a support bundle into one file, freed of secrets, and looked through once more."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from halocline.cli.support import Part
from halocline.cli.support.redact import Redactor
from halocline.errors import Misconfigured
from halocline.whole_files import write_file


def freed(parts: Sequence[Part], redactor: Redactor) -> dict[str, bytes]:
    """Each part's bytes by its name, without secrets. Raises Misconfigured (HAL-795) where one is left."""
    made = {redactor.text(part.name): _bytes(part.content, redactor) for part in parts}
    for name, data in made.items():
        for secret in redactor.known:
            if secret.encode() in data or secret in name:
                raise Misconfigured(
                    "HAL-795",
                    f"{name.replace(secret, '…')} would hold a secret still, and nothing was written. Report "
                    "this: a bundle must never hold one",
                )
    return made


def write_bundle(path: Path, files: dict[str, bytes]) -> None:
    """For its owner alone; there whole or not at all. Raises Misconfigured (HAL-796)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    try:
        write_file(path, packed.getvalue())
    except OSError as error:
        raise Misconfigured("HAL-796", f"--out {path} cannot be written: {error.strerror or error}") from None


def _bytes(content: Any, redactor: Redactor) -> bytes:
    if isinstance(content, str):
        return redactor.text(content).encode()
    plain = redactor.values(msgspec.to_builtins(content))
    return msgspec.json.format(msgspec.json.encode(plain)) + b"\n"
