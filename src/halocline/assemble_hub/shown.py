"""What the doors of a hub show of themselves, and whom they ask for a certificate."""

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING, Final

from halocline.errors import HaloclineError

if TYPE_CHECKING:
    from halocline.adapters.certificates.authority import CertificateAuthority
    from halocline.adapters.hub_folder import HubFolder

_RENEW_EVERY_S: Final = 3600.0
"""How often the hub looks whether its own certificate is half over."""


class Shown:
    """The certificate that the doors show, renewed before it ends without a restart."""

    def __init__(self, folder: "HubFolder", authority: "CertificateAuthority", names: list[str]) -> None:
        self._folder = folder
        self._authority = authority
        self._names = names
        self._renews_s = 0.0
        self.for_devices = _context(authority.root_pem)
        """Asks a device for its certificate, and checks it against the root."""
        self.for_people = _context(None)
        self.for_joining = _context(None)
        self._renew()

    async def renew_forever(self) -> None:
        """Renew at half of its life; connections that are open stay as they are."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            if time.time() >= self._renews_s:
                try:
                    self._renew()
                except (HaloclineError, OSError) as error:  # half of its life is left to put that right
                    logging.error("the hub's own certificate is not renewed yet: %s", error)

    def _renew(self) -> None:
        identity = self._authority.issue_server(self._names, now_s=time.time())
        self._folder.write(self._folder.server, (identity.chain + identity.key).encode())
        for context in (self.for_devices, self.for_people, self.for_joining):
            context.load_cert_chain(self._folder.server)
        self._renews_s = (identity.not_before_s + identity.not_after_s) / 2


def _context(client_ca: str | None) -> ssl.SSLContext:
    """TLS 1.3 alone, and no tickets: a resumed session would pass over what was revoked since."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca)
    return context
