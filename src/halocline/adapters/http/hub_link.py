"""A device's hub behind two doors: the channel by its certificate, the joining door by its key."""

import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final

import msgspec

from halocline.adapters.certificates.request import make_request, sign
from halocline.adapters.device_folder.folder import DeviceFolder
from halocline.adapters.device_folder.identity import Identity
from halocline.adapters.http.door import Asked, Door, raise_for
from halocline.decide.trusted_time import TrustedTime, believed, passed, told
from halocline.errors import Misconfigured, Transient
from halocline.fleet import Desired, Reported
from halocline.wire.channel import (
    START_HEADER,
    WAIT,
    WAITED_HEADER,
    JoinReply,
    NonceReply,
    RejoinRequest,
    RenewRequest,
    ReportRequest,
    TwinReply,
    decode,
    encode,
    encode_start,
)

TIME_KEPT_S: Final = 600.0
ERROR_KEPT_S: Final = 30.0
"""What is known of the time is written where it moved by so much: flash memory wears."""


class HubLink:
    """The hub, as `edge.channel` asks it. The clocks are arguments so that a wrong one can be tried.

    Raises Misconfigured (HAL-726) where the folder holds no identity.
    """

    def __init__(
        self,
        folder: DeviceFolder,
        *,
        timeout_s: float = 10.0,
        clock_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._clock_s = clock_s
        self._steady_s = steady_s
        self._start = secrets.token_hex(4)
        """Tells this start from those of a copy of the folder, whose boot counter may be the same."""
        self._lock = threading.Lock()
        self._is_closed = False
        self._doors: set[Door] = set()
        self._channel: Door | None = None
        self._identity = self._read()
        self._time = self._begin(folder.memory.time())
        self._kept = self._time

    def desired(self, generation: int | None) -> Desired | None:
        """What the hub wants; None where that is this generation still."""
        return self._desired(self._ask("GET", "/v1/twin", headers=self._known(generation)))

    def await_desired(self, generation: int, wait_s: float) -> tuple[Desired | None, bool]:
        """The same, once it has changed or after `wait_s`; and whether the hub had room to wait."""
        path = f"/v1/twin?{WAIT}={wait_s:g}"
        asked = self._ask("GET", path, headers=self._known(generation), wait_s=wait_s)
        return self._desired(asked), WAITED_HEADER in asked.headers

    def report(self, reported: Reported) -> None:
        """Tell what is in force."""
        self._ask("PUT", "/v1/twin/reported", encode(ReportRequest(reported=reported)))

    def renew(self) -> None:
        """Replace the certificate by one of the same key."""
        request = RenewRequest(csr=make_request(self._key()))
        asked = self._ask("POST", "/v1/certificate", encode(request))
        self._take(decode(asked.body, JoinReply), self._open())

    def rejoin(self) -> None:
        """Come home by the key alone. Raises Transient (HAL-727) where someone must accept first."""
        key = self._key()
        with self._joining_door() as door:
            nonce = self._nonce(door)
            csr = make_request(key)
            signature = urlsafe_b64encode(sign(key, f"halocline rejoin 1\n{nonce}\n{csr}".encode()))
            request = RejoinRequest(csr=csr, nonce=nonce, signature=signature.decode().rstrip("="))
            asked = door.ask("POST", "/v1/rejoin", encode(request))
            raise_for(asked)
            reply = decode(asked.body, JoinReply)
            if not reply.certificate:
                raise Transient(
                    "HAL-727",
                    f"{reply.device} came home after too long and waits to be accepted, with the code "
                    f"{reply.code}. Accept it: halocline device accept {reply.device}",
                )
            self._take(reply, door)

    def ask_time(self) -> None:
        """Learn the hub's time over the joining door."""
        with self._joining_door() as door:
            self._nonce(door)

    def validity(self) -> tuple[float, float]:
        """Begin and end of the certificate."""
        return self._identity.not_before_s, self._identity.not_after_s

    def passed_s(self) -> float:
        """The time that has surely passed, whatever the clock shows."""
        return passed(self._time, steady_s=self._steady_s())

    def now_s(self) -> float:
        """What this device believes of the time."""
        return believed(self._time, steady_s=self._steady_s(), clock_s=self._clock_s())

    def close(self) -> None:
        """End every connection. May be called again."""
        with self._lock:
            self._is_closed = True
            doors = list(self._doors)
        for door in doors:
            door.close()

    def _read(self) -> Identity:
        identity = self._folder.identity()
        if identity is None:
            raise Misconfigured(
                "HAL-726",
                f"{self._folder.path} holds no identity. Join a hub first: halocline agent join INVITE "
                f"--state {self._folder.path}",
            )
        return identity

    def _begin(self, kept: TrustedTime) -> TrustedTime:
        """What was known, counted from now on; that the own certificate was signed is known as well."""
        passed_s = max(kept.passed_s, self._identity.not_before_s)
        return msgspec.structs.replace(kept, passed_s=passed_s, steady_s=self._steady_s())

    def _key(self) -> bytes:
        try:
            return self._identity.key.read_bytes()
        except OSError as error:
            raise Misconfigured("HAL-725", f"{self._identity.key} cannot be read: {error.strerror}") from None

    def _known(self, generation: int | None) -> dict[str, str]:
        """The headers by which the hub tells this start and what this device has."""
        headers = {START_HEADER: encode_start(self._folder.memory.boot, self._start)}
        return headers if generation is None else {**headers, "If-None-Match": f'"{generation}"'}

    def _desired(self, asked: Asked) -> Desired | None:
        if asked.status == 304:
            return None
        reply = decode(asked.body, TwinReply)
        self._hear(reply.now_s, self._open())
        return reply.desired

    def _open(self) -> Door:
        if self._channel is None:
            identity = self._identity
            self._channel = self._door(identity.places.channel, with_certificate=True)
        return self._channel

    def _joining_door(self) -> Door:
        return self._door(self._identity.places.join, with_certificate=False)

    def _door(self, url: str, *, with_certificate: bool) -> Door:
        identity = self._identity
        door = Door(
            url,
            ca=identity.ca,
            cert=(identity.chain, identity.key) if with_certificate else None,
            timeout_s=self._timeout_s,
            passed_s=self.passed_s,
        )
        with self._lock:
            self._doors = {door} if self._channel is None else {door, self._channel}
            closed = self._is_closed
        if closed:
            door.close()
            raise Transient("HAL-721", f"{url} is not asked any more: this agent stops")
        return door

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> Asked:
        asked = self._open().ask(method, path, body, headers, wait_s=wait_s)
        raise_for(asked)
        return asked

    def _nonce(self, door: Door) -> str:
        asked = door.ask("GET", "/v1/nonce")
        raise_for(asked)
        reply = decode(asked.body, NonceReply)
        self._hear(reply.now_s, door)
        return reply.nonce

    def _take(self, reply: JoinReply, door: Door) -> None:
        """A new certificate: on disk, then in use; the connection of the old one ends."""
        self._hear(reply.now_s, door)
        self._folder.replace_certificate(reply.certificate, reply.ca)
        self._identity = self._read()
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _hear(self, now_s: float, door: Door) -> None:
        self._time = told(
            self._time,
            now_s,
            certified=door.certified,
            steady_s=self._steady_s(),
            clock_s=self._clock_s(),
        )
        moved_s = abs(self._time.passed_s - self._kept.passed_s)
        erred_s = abs(self._time.error_s - self._kept.error_s)
        if moved_s > TIME_KEPT_S or erred_s > ERROR_KEPT_S:
            self._folder.memory.keep_time(self._time)
            self._kept = self._time
