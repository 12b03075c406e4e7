"""Put a refusal into the audit log, in a change of its own, as the change that was refused is undone."""

from collections.abc import Iterator
from contextlib import contextmanager

from halocline.errors import Rejected, Untrusted
from halocline.fleet import AuditEntry
from halocline.hub.store import Store


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
