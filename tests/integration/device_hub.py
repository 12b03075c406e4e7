"""A hub as devices see it: the real authority and the real steps, over small doors with real TLS."""

import contextlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from doors import Authority, listening

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.errors import HaloclineError, Rejected
from halocline.fleet import Desired, Device, Reported, Settings
from halocline.hub import joining
from halocline.hub.admitting import Peer, admit
from halocline.testing.memory_store import MemoryStore
from halocline.wire import channel
from halocline.wire.invite import Invitation, encode_invite

DAY_S = 86_400.0


class DeviceHub:
    """The hub's clock is this machine's, `behind_s` earlier; `lose` names requests whose answer is lost."""

    def __init__(self, folder: Path) -> None:
        self.behind_s = 0.0
        self.lose: set[str] = set()
        self.fail: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        self.store = MemoryStore()
        self.rules = joining.JoinRules()
        self.authority = CertificateAuthority.open(folder / "ca", now_s=time.time() - 100 * DAY_S)
        server = self.authority.issue_server(["localhost"], now_s=time.time())
        chain, key = folder / "server.chain", folder / "server.key"
        chain.write_text(server.chain)
        key.write_text(server.key)
        root = self.authority.root_pem.encode()
        self.files = Authority(None, root, self.authority.fingerprint, chain, key)
        self.channel = self.join = ""
        self.desired = Desired()

    @property
    def now_s(self) -> float:
        return time.time() - self.behind_s

    def invite(self, **more: Any) -> str:
        secret = secrets.token_bytes(joining.SECRET_BYTES)
        joining.invite(self.store, secret=secret, by="ann", now_s=self.now_s, **more)
        return encode_invite(Invitation(url=self.join, fingerprint=self.authority.fingerprint, secret=secret))

    def set(self, **more: Any) -> None:
        self.desired = Desired(generation=self.desired.generation + 1, settings=Settings(**more))

    def devices(self) -> list[Device]:
        with self.store.look() as tx:
            return tx.devices()

    def reported(self, device: str) -> Reported | None:
        with self.store.look() as tx:
            return tx.twin(device).reported

    @contextlib.contextmanager
    def open(self) -> Iterator["DeviceHub"]:
        with listening(self.files, self._door(self._join)) as join:
            with listening(self.files, self._door(self._channel), client_ca=self.files.root) as devices:
                self.channel, self.join = devices.url, join.url
                yield self

    def _door(self, answer: Callable[..., tuple[int, dict[str, str], msgspec.Struct | None]]) -> Any:
        def handle(method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
            self.asked.append(path)
            if path in self.fail:
                return self.fail[path]
            try:
                status, sent, message = answer(path, body, headers)
            except HaloclineError as error:
                refusal = channel.Refusal(error=error.message, code=error.code)
                return 400 if isinstance(error, Rejected) else 403, {}, channel.encode(refusal)
            if path in self.lose:
                self.lose.discard(path)
                raise ConnectionAbortedError
            return status, sent, b"" if message is None else channel.encode(message)

        return handle

    def _join(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        if path == "/v1/nonce":
            nonce = joining.nonce(self.authority, chance=self._chance(), now_s=self.now_s)
            return 200, {}, channel.NonceReply(nonce=nonce, now_s=self.now_s)
        common: dict[str, Any] = {"chance": self._chance(), "now_s": self.now_s, "rules": self.rules}
        if path == "/v1/join":
            wanted = channel.decode(body, channel.JoinRequest)
            joined = joining.join(
                self.store,
                self.authority,
                csr=wanted.csr,
                invite=wanted.invite,
                facts=wanted.facts,
                **common,
            )
        else:
            home = channel.decode(body, channel.RejoinRequest)
            joined = joining.rejoin(
                self.store,
                self.authority,
                csr=home.csr,
                nonce=home.nonce,
                signature=home.signature,
                **common,
            )
        return self._joined(joined)

    def _channel(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        shown = read_certificate(bytes.fromhex(headers["peer"]))
        device = admit(self.store, Peer(certificate=shown, opened_s=self.now_s), self.now_s)
        if path == "/v1/certificate":
            csr = channel.decode(body, channel.RenewRequest).csr
            return self._joined(
                joining.renew(
                    self.store,
                    self.authority,
                    device_id=device.id,
                    csr=csr,
                    now_s=self.now_s,
                    rules=self.rules,
                )
            )
        if path == "/v1/twin/reported":
            with self.store.change() as tx:
                tx.put_reported(device.id, channel.decode(body, channel.ReportRequest).reported)
            return 204, {}, None
        etag = f'"{self.desired.generation}"'
        if headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, None
        return 200, {"ETag": etag}, channel.TwinReply(desired=self.desired, now_s=self.now_s)

    def _joined(self, joined: joining.Joined) -> Any:
        device, chain = joined.device, joined.certificate
        reply = channel.JoinReply(
            device=device.id,
            certificate=chain,
            ca=self.files.root.decode(),
            channel=self.channel,
            code=device.code,
            now_s=self.now_s,
        )
        return 200 if chain else 202, {}, reply

    def _chance(self) -> bytes:
        return urlsafe_b64encode(secrets.token_bytes(joining.CHANCE_BYTES))[: joining.CHANCE_BYTES]
