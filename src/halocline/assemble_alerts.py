"""Watch over a running hub: judge its alerts every so often, and send what changed."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halocline.adapters.backup.record import read_backups
from halocline.adapters.http.webhook import Webhook
from halocline.decide.alerts import Alert, Disk, Failure
from halocline.decide.backups import backup_failure
from halocline.errors import Misconfigured
from halocline.hub.alerting import AlertDesk
from halocline.hub.store import Store
from halocline.wire.alert import AlertMessage

EVERY_S: Final = 30.0
_LOG: Final = logging.getLogger("halocline.alerts")


class AlertWatch:
    """Looks every so often until it is cancelled; a look that fails is logged, and the next one comes."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        url: str,
        webhook: Webhook | None,
        *,
        backup_every_s: float | None = None,
    ) -> None:
        self._store = store
        self._backup_every_s = backup_every_s
        self._desk = AlertDesk(store, since_s=time.time())
        self._folder = folder
        self._url = url
        self._webhook = webhook

    def open(self) -> list[Alert]:
        """What is open, the oldest first."""
        return self._desk.open()

    async def forever(self) -> None:
        """Look, and look again."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Look once, and send what changed."""
        now_s = time.time()
        try:
            used = shutil.disk_usage(self._folder)
            judged = self._desk.look(
                now_s=now_s,
                disk=Disk(total_bytes=used.total, free_bytes=used.free),
                backup=self._backup(now_s),
            )
        except Exception:  # whatever it is, it must not be the last look
            _LOG.exception("the alerts could not be judged")
            return
        for alert in judged.opened:
            _LOG.warning("ALERT %s: %s", alert.id, alert.cause)
            self._send(AlertMessage(event="opened", at_s=now_s, hub=self._url, alert=alert))
        for alert in judged.closed:
            _LOG.warning("over: %s", alert.id)
            self._send(AlertMessage(event="closed", at_s=now_s, hub=self._url, alert=alert))

    def _backup(self, now_s: float) -> Failure | None:
        backups = read_backups(self._folder)
        with self._store.look() as tx:
            first = tx.audit(limit=1)
        begun_s = first[0].entry.at_s if first else now_s
        return backup_failure(backups, begun_s=begun_s, every_s=self._backup_every_s, now_s=now_s)

    def _send(self, message: AlertMessage) -> None:
        if self._webhook is not None:
            self._webhook.send(message)


@contextlib.contextmanager
def webhook_of(url: str | None, secret: str | None) -> Iterator[Webhook | None]:
    """The webhook until the block ends. Raises Misconfigured (HAL-763, HAL-105)."""
    if url is None and secret is None:
        yield None
        return
    if url is None or secret is None:
        missing = "--alert-webhook" if url is None else "--alert-secret"
        raise Misconfigured("HAL-763", f"{missing} is missing: messages are signed, so both are needed")
    webhook = Webhook(url, secret)
    try:
        yield webhook
    finally:
        webhook.close()
