"""What all doors of one hub share."""

from collections.abc import Callable, Sequence

import msgspec

from halocline.decide.alerts import Alert
from halocline.hub.authority import Authority, Rotation
from halocline.hub.joining import JoinRules
from halocline.hub.store import Store


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """A hub as its doors see it."""

    store: Store
    authority: Authority
    rotate: Callable[[Rotation], None]
    """Replaces the authority, and what the doors show. Raises as `CertificateAuthority.rotate` does."""
    clock: Callable[[], float]
    """Seconds since 1970; of what people read and certificates hold, never of durations."""
    channel_url: str
    """The device door, as devices reach it."""
    join_url: str
    """The joining door, as devices reach it."""
    database: str
    """`sqlite` or `postgresql`."""
    models: tuple[str, ...]
    """The cloud models that devices are served."""
    alerts: Callable[[], Sequence[Alert]] = tuple
    """What is open, the oldest first."""
    rules: JoinRules = JoinRules()
    requires_reason: bool = False
    """Whether a person's change is refused that does not say why."""
    changed: Callable[[str], None] = lambda _: None
    """Told of each device of which something else is wanted, or that is out."""
    waiting: Callable[[], int] = lambda: 0
    """How many devices wait for that."""
