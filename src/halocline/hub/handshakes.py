"""Put refused TLS handshakes into the audit log: few entries, with counts, however many came."""

import threading
from typing import Final

import msgspec

from halocline.decide.handshakes import Cause
from halocline.fleet import AuditEntry
from halocline.hub.store import Store

QUIET_S: Final = 60.0
"""The first of a door and cause is written down at once, those that follow once in this time, as a count."""

_Kind = tuple[str, Cause]


class _Counted(msgspec.Struct):
    count: int
    first_s: float
    last_s: float
    tls: str
    """What OpenSSL said of the last one."""


class RefusedHandshakes:
    """Those that are not written down yet. Thread-safe; each process counts for itself.

    Nobody is let in by a handshake that fails, so nobody can be named either: the actor is a stranger.
    """

    def __init__(self, *, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._counting = threading.Lock()
        self._counted: dict[_Kind, _Counted] = {}
        self._written_s: dict[_Kind, float] = {}

    def note(self, door: str, cause: Cause, tls: str, *, now_s: float) -> None:
        """Count one; costs microseconds and writes nothing."""
        with self._counting:
            known = self._counted.setdefault((door, cause), _Counted(0, now_s, now_s, tls))
            known.count += 1
            known.last_s = now_s
            known.tls = tls

    def write(self, store: Store, *, now_s: float, is_last: bool = False) -> None:
        """Write down what is due, durably; `is_last`, all. Raises Transient (HAL-703), and loses nothing."""
        due = self._take(now_s, is_last)
        if not due:
            return
        try:
            with store.change() as tx:
                for (door, cause), counted in due.items():
                    tx.append(_entry(door, cause, counted, now_s))
        except BaseException:
            self._put_back(due)
            raise
        with self._counting:
            self._written_s.update(dict.fromkeys(due, now_s))

    def _take(self, now_s: float, is_last: bool) -> dict[_Kind, _Counted]:
        with self._counting:
            kinds = [kind for kind in self._counted if is_last or not self._is_quiet(kind, now_s)]
            return {kind: self._counted.pop(kind) for kind in kinds}

    def _is_quiet(self, kind: _Kind, now_s: float) -> bool:
        at_s = self._written_s.get(kind)
        return at_s is not None and 0 <= now_s - at_s < self._quiet_s

    def _put_back(self, due: dict[_Kind, _Counted]) -> None:
        with self._counting:
            for kind, before in due.items():
                since = self._counted.get(kind)
                if since is not None:
                    before.count += since.count
                    before.last_s, before.tls = since.last_s, since.tls
                self._counted[kind] = before


def _entry(door: str, cause: Cause, counted: _Counted, now_s: float) -> AuditEntry:
    return AuditEntry(
        at_s=now_s,
        actor="stranger:",
        action="door.connect",
        object=door,
        outcome="refused",
        reason=cause.said,
        details={
            "cause": str(cause),
            "count": counted.count,
            "first_s": counted.first_s,
            "last_s": counted.last_s,
            "tls": counted.tls,
        },
    )
