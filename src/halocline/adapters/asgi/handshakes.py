"""See TLS handshakes fail at the doors, and have them written down, off the event loop."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from halocline.decide.handshakes import cause_of
from halocline.errors import HaloclineError
from halocline.hub.handshakes import RefusedHandshakes
from halocline.hub.store import Store

EVERY_S: Final = 0.5
"""How often it is looked whether something is due."""
_TLS_CHARS: Final = 80
_LOG: Final = logging.getLogger("halocline.doors")


class HandshakeWatch:
    """Watches TLS contexts; a door is told by the context that a connection ended up with.

    A refused handshake never becomes a connection that the server tells of: the TLS object alone knows of it.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._refused = RefusedHandshakes()
        self._doors: dict[ssl.SSLContext, str] = {}
        watch = self

        class Watched(ssl.SSLObject):
            def do_handshake(self) -> None:
                try:
                    super().do_handshake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
                    raise  # it goes on, or the other side has hung up
                except ssl.SSLError as error:
                    watch._note(self.context, error)
                    raise

        self._watched = Watched

    def watch(self, context: ssl.SSLContext, door: str) -> ssl.SSLContext:
        """The context itself, whose refusals are from now on this door's."""
        self._doors[context] = door
        context.sslobject_class = self._watched
        return context

    async def forever(self) -> None:
        """Write down what is due until it is cancelled; what the database refuses is tried again."""
        while True:
            await asyncio.sleep(EVERY_S)
            await asyncio.to_thread(self.write)

    def write(self, *, is_last: bool = False) -> None:
        """Write down what is due, or at the end all that there is."""
        try:
            self._refused.write(self._store, now_s=self._clock(), is_last=is_last)
        except HaloclineError as error:
            _LOG.error("refused handshakes are not in the audit log yet: %s", error)

    def _note(self, context: ssl.SSLContext, error: ssl.SSLError) -> None:
        verify_code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else None
        said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
        self._refused.note(
            self._doors.get(context, ""),
            cause_of(error.reason or "", verify_code),
            (said or "")[:_TLS_CHARS],
            now_s=self._clock(),
        )
