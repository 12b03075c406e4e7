"""The authority that a hub signs with, its own or a company's, and how it is read anew and replaced."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from halocline.assemble_hub.options import HubOptions
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.certificates.authority_folder import Held
    from halocline.adapters.hub_folder import HubFolder
    from halocline.hub.authority import Rotation

CA: Final = "ca"
"""The own authority's folder in the state folder."""


class Signer:
    """The authority of one hub process. Raises as `CertificateAuthority.open` does, and HAL-781."""

    def __init__(self, folder: "HubFolder", options: HubOptions) -> None:
        from halocline.adapters.certificates.authority import CertificateAuthority

        self._folder = folder
        self._options = options
        self.authority: CertificateAuthority
        if options.issuer_cert is None:
            self.authority = CertificateAuthority.open(
                folder.path / CA, now_s=time.time(), passphrase=options.ca_passphrase
            )
        else:
            self.authority = CertificateAuthority(self._given())

    @property
    def files(self) -> list[Path]:
        """What another process, or a person, replaces."""
        options = self._options
        if options.issuer_cert is None or options.issuer_key is None:
            return [self._folder.path / CA / name for name in ("root.pem", "issuing.pem")]
        return [Path(options.issuer_cert).expanduser(), Path(options.issuer_key).expanduser()]

    def read_anew(self) -> None:
        """Sign with what the files hold now. Raises HAL-718, HAL-781; the authority stays as it was then."""
        if self._options.issuer_cert is None:
            with self._folder.starting():
                self._reopen()
                self.tell()
            return
        held = self._given()
        if not self.authority.has_root(held.root):
            raise Misconfigured(
                "HAL-781",
                f"{self._options.issuer_cert} leads to another root than the one that devices trust",
            )
        self.authority.go_on_with(held)

    def rotate(self, what: "Rotation") -> None:
        """Replace the own authority, for every process with this folder. Raises as `rotate` of it does."""
        with self._folder.starting():
            if self._options.issuer_cert is None:
                self._reopen()
            self.authority.rotate(what, now_s=time.time())
            self.tell()

    def tell(self) -> None:
        """Put the roots where people find what to trust."""
        from halocline.whole_files import PUBLIC

        self._folder.write(self._folder.ca, self.authority.roots_pem.encode(), PUBLIC)

    def _reopen(self) -> None:
        self.authority.reopen(
            self._folder.path / CA, now_s=time.time(), passphrase=self._options.ca_passphrase
        )

    def _given(self) -> "Held":
        from halocline.adapters.certificates.given import read_issuer

        cert, key = self.files
        return read_issuer(cert, key, _passphrase(self._options.issuer_passphrase), time.time())


def _passphrase(reference: str | None) -> bytes | None:
    """What --issuer-passphrase leads to. Raises Misconfigured (HAL-105)."""
    if reference is None:
        return None
    from halocline.adapters.http.target import read_secret

    try:
        return read_secret(reference).encode()
    except Misconfigured as error:
        raise Misconfigured(
            error.code, f"--issuer-passphrase: {error.message.removeprefix('token: ')}"
        ) from None
