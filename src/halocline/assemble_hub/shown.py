"""What the doors of a hub show of themselves, and whom they ask for a certificate."""

import asyncio
import contextlib
import logging
import signal
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from halocline.assemble_hub.signer import Signer
from halocline.errors import HaloclineError

if TYPE_CHECKING:
    from halocline.adapters.asgi.tls import Tls
    from halocline.adapters.hub_folder import HubFolder

LOG: Final = logging.getLogger("halocline.certificates")
_LOOK_EVERY_S: Final = 5.0
"""How often the hub looks whether a file was replaced, or its own certificate is half over."""


class Shown:
    """The certificates of the doors; each connection gets those of its moment, without a restart.

    `people` is a browser's certificate for the people's door, in place of the hub's own.
    """

    def __init__(
        self, folder: "HubFolder", signer: Signer, names: Sequence[str], people: "Tls | None" = None
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._names = names
        self._people = people
        self._renews_s = 0.0
        self._renewing = threading.Lock()
        self.for_devices = _Shelf(asks=True)
        """Asks a device for its certificate, and checks it against the roots."""
        self.for_people = _Shelf(asks=False)
        self.for_joining = _Shelf(asks=False)
        self._stamps = self._look()
        self.renew()

    def renew(self) -> None:
        """Show a new one from the next connection on. Raises HAL-108, HAL-745; nothing changes then."""
        from halocline.adapters.asgi.tls import server_context

        with self._renewing:
            authority = self._signer.authority
            identity = authority.issue_server(self._names, now_s=time.time())
            theirs = None if self._people is None else server_context(self._people)
            self._folder.write(self._folder.server, (identity.chain + identity.key).encode())
            devices, others = (_context(ca, self._folder.server) for ca in (authority.roots_pem, None))
            self.for_devices.holds = devices
            self.for_joining.holds = others
            self.for_people.holds = theirs or others
            self._renews_s = (identity.not_before_s + identity.not_after_s) / 2

    async def watch_forever(self) -> None:
        """Renew at half of the certificate's life, and where a file was replaced; on SIGHUP read all anew."""
        asked = asyncio.Event()
        with _on_hangup(asked):
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asked.wait(), _LOOK_EVERY_S)
                found = self._look()
                if asked.is_set() or found != self._stamps:
                    why = "SIGHUP" if asked.is_set() else "a file was replaced"
                    asked.clear()
                    await self._read_anew(why)
                    self._stamps = found
                elif time.time() >= self._renews_s:
                    await self._try("half of its life is over")

    async def _read_anew(self, why: str) -> None:
        try:
            await asyncio.to_thread(self._signer.read_anew)
        except (HaloclineError, OSError) as error:
            LOG.error("%s: the issuing authority stays as it was: %s", why, error)
        await self._try(why)

    async def _try(self, why: str) -> None:
        try:
            await asyncio.to_thread(self.renew)
        except (HaloclineError, OSError) as error:  # half of its life is left to put that right
            LOG.error("%s: the doors show the certificates that they showed: %s", why, error)
        else:
            LOG.info("%s: the doors show new certificates", why)

    def _look(self) -> list[tuple[int, int] | None]:
        """What tells a replaced file from the one before."""
        people = [] if self._people is None else [self._people.cert, self._people.key]
        return [_stamp(path) for path in (*self._signer.files, *people)]


class _Shelf(ssl.SSLContext):
    """A context for a server, which hands each new connection on to the context that it holds by then."""

    holds: ssl.SSLContext

    def __new__(cls, *, asks: bool) -> "_Shelf":
        shelf = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        _strict(shelf, asks=asks)  # what a connection keeps of the context that it began with
        shelf.sni_callback = shelf._hand_on
        return shelf

    def __init__(self, *, asks: bool) -> None:
        pass

    def _hand_on(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self.holds


def _context(client_ca: str | None, server: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _strict(context, asks=client_ca is not None)
    if client_ca is not None:
        context.load_verify_locations(cadata=client_ca)
    context.load_cert_chain(server)
    return context


def _strict(context: ssl.SSLContext, *, asks: bool) -> None:
    """TLS 1.3 alone, and no tickets: a resumed session would pass over what was revoked since."""
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@contextlib.contextmanager
def _on_hangup(asked: asyncio.Event) -> Iterator[None]:
    """SIGHUP sets it; where this is not the main thread, nothing does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
