"""Check a folder of state: that it is there, that only its owner may read it, and that the disk has room."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from halocline.cli.checks import Check, fail, ok, warn

LEAST_FREE_BYTES = 200 * 1024 * 1024
_SHOWN = 3


def check_modes(what: str, folder: Path, public: frozenset[str] = frozenset()) -> Check:
    """Nobody but the owner may look in; `public` names files that everyone may have."""
    try:
        seen = [folder, *_files(folder)]
        loose = [
            path
            for path in seen
            if stat.S_IMODE(path.stat().st_mode) & 0o077 and path.name not in public and not path.is_socket()
        ]
    except OSError as error:
        return fail(
            f"{what} files",
            f"{error.filename or folder} cannot be read: {error.strerror}",
            "run as its owner",
        )
    if not loose:
        return ok(f"{what} files", f"{folder} is for its owner alone")
    named = ", ".join(f"{path} (mode {stat.S_IMODE(path.stat().st_mode):o})" for path in loose[:_SHOWN])
    more = f" and {len(loose) - _SHOWN} more" if len(loose) > _SHOWN else ""
    return fail(f"{what} files", f"others may read {named}{more}", f"chmod -R go= {folder}")


def check_room(what: str, folder: Path) -> Check:
    """What is written there needs room."""
    used = shutil.disk_usage(folder)
    shown = f"{used.free / 1024**3:.1f} GiB of {used.total / 1024**3:.1f} free for {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(
            f"{what} disk", f"{folder} cannot be written to", "run as its owner, or mount it writable"
        )
    if used.free < LEAST_FREE_BYTES:
        return warn(f"{what} disk", shown, "free some, before a change cannot be kept any more")
    return ok(f"{what} disk", shown)


def _files(folder: Path) -> Iterator[Path]:
    """All in it; what a running program removes in between is passed over."""
    for path in sorted(folder.rglob("*")):
        if path.exists():
            yield path
