"""What a backup holds: the names of its files with their digests, and when it was made."""

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

NAME: Final = "backup.json"
DATABASE: Final = "hub.db"
PASSPHRASE: Final = "ca/passphrase"  # noqa: S105 - a name
AUTHORITY: Final = "ca.pem"
"""What every hub's state folder has, whether it signs with an authority of its own or a company's."""
VERSION: Final = 1
SUFFIX: Final = ".tar"
"""A backup of this name is one file; any other is a folder."""
FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
"""How files in a backup are named: never outside of it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a backup."""

    version: int = VERSION
    halocline: str
    made_s: float
    files: dict[str, str]
    """`sha256:…` of each file."""

    @property
    def has_database(self) -> bool:
        """False where the hub keeps its state in PostgreSQL, which has backups of its own."""
        return DATABASE in self.files

    @property
    def has_passphrase(self) -> bool:
        """Whether the authority's keys open with what is in the backup."""
        return PASSPHRASE in self.files


def digest_of(path: Path) -> str:
    """`sha256:…` of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
