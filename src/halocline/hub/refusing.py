"""Put a refusal into the audit log, in a change of its own, as the change that was refused is undone."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from halocline.errors import Rejected, Untrusted
from halocline.fleet import AuditEntry
from halocline.hub.store import Store

QUIET_S: Final = 60.0
MAX_REMEMBERED: Final = 10_000
"""The most refusals that are remembered; the oldest is forgotten first, and would be written down again."""


class Repeats:
    """Which refusals were just written down: whoever comes again and again does not fill the disk.

    Thread-safe; each process remembers for itself.
    """

    def __init__(self, *, quiet_s: float = QUIET_S, max_remembered: int = MAX_REMEMBERED) -> None:
        self._quiet_s = quiet_s
        self._max_remembered = max_remembered
        self._written: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_one(self, who: str, what: str, *, now_s: float) -> bool:
        """Whether the same was written down within the quiet time."""
        with self._lock:
            at_s = self._written.get((who, what))
        return at_s is not None and 0 <= now_s - at_s < self._quiet_s

    def remember(self, who: str, what: str, *, now_s: float) -> None:
        """It is written down now."""
        with self._lock:
            self._written[who, what] = now_s
            self._written.move_to_end((who, what))
            if len(self._written) > self._max_remembered:
                self._written.popitem(last=False)


@contextmanager
def audited(store: Store, *, actor: str, action: str, about: str = "", now_s: float) -> Iterator[None]:
    """Whatever is refused within (Rejected, Untrusted) is written down and raised on."""
    try:
        yield
    except (Rejected, Untrusted) as error:
        with store.change() as tx:
            tx.append(
                AuditEntry(
                    at_s=now_s,
                    actor=actor,
                    action=action,
                    object=about,
                    outcome="refused",
                    reason=error.message[:500],
                    details={"code": error.code},
                )
            )
        raise
