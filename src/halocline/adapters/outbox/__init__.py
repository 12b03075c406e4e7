"""The durable queue of a device, in one SQLite file."""

from halocline.adapters.outbox.outbox import Outbox

__all__ = ["Outbox"]
