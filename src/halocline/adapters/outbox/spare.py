"""Keep some disk space back, so that a full disk leaves room to make room."""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

_AGAIN_S: Final = 1.0
"""So often at most it is tried to have it again."""


class Spare:
    """A file that is nothing but space: given free on a full disk, taken again when there is room.

    It is to hold a whole log that goes into a database that has to grow for it, and another log.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._there = path.exists()
        self._tried_s = float("-inf")

    def keep(self) -> bool:
        """Have the space, where the disk has it; whether it is there. A full disk is no error."""
        if self._there or time.monotonic() - self._tried_s < _AGAIN_S:
            return self._there
        self._tried_s = time.monotonic()
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                _allocate(handle, self._size_bytes)
            finally:
                os.close(handle)
            self._there = True
        except OSError:
            self.free()
        return self._there

    def free(self) -> None:
        """Give it to whoever needs it."""
        self._there = False
        self._tried_s = time.monotonic()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _allocate(handle: int, size_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size_bytes)
        return
    for _ in range(size_bytes >> 16):  # macOS: written, not allocated
        os.write(handle, bytes(1 << 16))
