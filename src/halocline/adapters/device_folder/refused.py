"""Count the requests that the agent's local endpoint refused, in a file for `halocline agent status`."""

import logging
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from halocline.whole_files import write_file

FILE: Final = "refused.json"
QUIET_S: Final = 60.0
"""Told and written at the first refusal, then once in this time: who tries on fills no log and no disk."""
_LOG: Final = logging.getLogger("halocline.local")


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused since when; times are seconds since 1970, on the device's own clock."""

    since_s: float
    last_s: float
    counts: dict[str, int]
    """By cause: `web_page` (Origin), `other_host` (DNS rebinding), `no_token`."""
    version: int = 1


class RefusedRequests:
    """The counts of one agent, over its restarts. `note` is for one thread, and writes on another."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._refused = read_refused(folder)
        self._written: Refused | None = self._refused
        self._told_s: float | None = None
        self._writing = threading.Lock()

    def note(self, cause: str, said: str) -> None:
        """Count one refusal; `said` is what the caller was told."""
        now_s = time.time()
        before = self._refused or Refused(since_s=now_s, last_s=now_s, counts={})
        counts = {**before.counts, cause: before.counts.get(cause, 0) + 1}
        self._refused = msgspec.structs.replace(before, last_s=now_s, counts=counts)
        if self._told_s is None or time.monotonic() - self._told_s >= QUIET_S:
            self._told_s = time.monotonic()
            _LOG.warning("refused a local request (%s; all so far: %s)", said, _said(counts))
            threading.Thread(target=self.save, name="halocline-refused", daemon=True).start()

    def save(self) -> None:
        """Write the counts down, if they changed; a disk that takes nothing is told and costs no request."""
        with self._writing:
            refused = self._refused
            if refused is None or refused is self._written:
                return
            try:
                write_file(self._path, msgspec.json.encode(refused))
            except OSError as error:
                _LOG.warning("the counts of refused requests are not written: %s", error)
                return
            self._written = refused


def read_refused(folder: Path) -> Refused | None:
    """What was written down last; None where nothing was, or what is there cannot be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Refused)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{cause} {count}" for cause, count in sorted(counts.items()))
