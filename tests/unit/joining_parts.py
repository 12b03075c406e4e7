"""A hub with an authority and a store in memory, and devices with keys of their own."""

import hashlib
from base64 import urlsafe_b64encode
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.request import make_key, make_request, read_request, sign
from halocline.fleet import AuditEntry, Certificate, Device, Facts
from halocline.hub import joining
from halocline.testing.memory_store import MemoryStore

NOW = 1_800_000_000.0
DAY = 86_400.0
SECRET = bytes(range(16))
NO_FACTS = Facts()


@cache
def authority() -> CertificateAuthority:
    with TemporaryDirectory() as folder:
        return CertificateAuthority.open(Path(folder) / "ca", now_s=NOW)


class Key:
    """What a device has of its own."""

    def __init__(self) -> None:
        self.pem = make_key()
        self.csr = make_request(self.pem)
        self.digest = read_request(self.csr).key


class Hub:
    """The hub's steps, each with fresh chance; `on_write` may fail any of them."""

    def __init__(self, on_write=lambda _: None) -> None:
        self.store = MemoryStore(on_write=lambda what: self.on_write(what))
        self.on_write = on_write
        self._counted = count()

    def chance(self) -> bytes:
        return hashlib.sha256(str(next(self._counted)).encode()).digest()[: joining.CHANCE_BYTES]

    def invite(self, secret: bytes = SECRET, *, now_s: float = NOW, **more) -> str:
        joining.invite(self.store, secret=secret, by="ann", now_s=now_s, **more)
        return urlsafe_b64encode(secret).decode()

    def join(
        self, key: Key, invite: str = "", *, now_s: float = NOW, facts: Facts = NO_FACTS
    ) -> joining.Joined:
        return joining.join(
            self.store,
            authority(),
            csr=key.csr,
            invite=invite,
            facts=facts,
            address="192.0.2.1",
            chance=self.chance(),
            now_s=now_s,
        )

    def renew(self, key: Key, device_id: str, *, now_s: float = NOW) -> joining.Joined:
        return joining.renew(self.store, authority(), device_id=device_id, csr=key.csr, now_s=now_s)

    def nonce(self, *, now_s: float = NOW) -> str:
        return joining.nonce(authority(), chance=self.chance(), now_s=now_s)

    def rejoin(
        self, key: Key, *, now_s: float = NOW, nonce: str = "", signer: Key | None = None
    ) -> joining.Joined:
        nonce = nonce or self.nonce(now_s=now_s)
        message = f"halocline rejoin 1\n{nonce}\n{key.csr}".encode()
        return joining.rejoin(
            self.store,
            authority(),
            csr=key.csr,
            nonce=nonce,
            signature=urlsafe_b64encode(sign((signer or key).pem, message)).decode(),
            address="192.0.2.1",
            chance=self.chance(),
            now_s=now_s,
        )

    def admit(self, pem: str, *, opened_s: float | None = None, now_s: float = NOW) -> Device:
        peer = joining.Peer(read_certificate(pem.encode()), now_s if opened_s is None else opened_s)
        return joining.admit(self.store, peer, now_s)

    def accept(self, device_id: str, **more) -> Device:
        return joining.accept(self.store, device_id, actor="person:ann", now_s=NOW, **more)

    def revoke(self, device_id: str) -> Device:
        return joining.revoke(self.store, device_id, actor="person:ann", reason="lost", now_s=NOW)

    def device(self, device_id: str) -> Device:
        with self.store.look() as tx:
            found = tx.device(device_id)
        assert found is not None
        return found

    def certificates(self, device_id: str) -> list[Certificate]:
        with self.store.look() as tx:
            return tx.certificates(device_id)

    def entries(self, action: str = "") -> list[AuditEntry]:
        with self.store.look() as tx:
            return [link.entry for link in tx.audit() if action in ("", link.entry.action)]
