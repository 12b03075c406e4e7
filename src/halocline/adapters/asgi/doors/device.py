"""The devices' door: who is there is read off the certificate, and may be let in or not at each request."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeAlias

from halocline.adapters.asgi.answers import Answer, Receive, Scope, Send, send_and_close
from halocline.adapters.asgi.app import App
from halocline.adapters.asgi.doors.door import Call, Door, Handler, Route, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.status import refusal
from halocline.adapters.asgi.doors.waiting import WaitingRoom
from halocline.adapters.asgi.protocol import CONNECTION, Connection
from halocline.adapters.certificates.facts import read_certificate
from halocline.decide.device_settings import MOST_LONG_POLL_S
from halocline.errors import Rejected, Untrusted
from halocline.fleet import Device
from halocline.hub import joining, twins
from halocline.hub.starts import Starts
from halocline.serving.admission import Admission
from halocline.wire import channel

_ForDevice: TypeAlias = Callable[[Device, Call], Answer]


class DeviceDoor:
    """The ASGI application: /v1 is the channel, /v2 the cloud models, if there are any."""

    def __init__(
        self, hub: Hub, admission: Admission, executor: Executor, models: App | None, room: WaitingRoom
    ) -> None:
        self._hub = hub
        self._executor = executor
        self._models = models
        self._room = room
        self._repeats = joining.Repeats()
        self._starts = Starts()
        self._door = Door(
            [
                Route("GET", "/v1/twin", self._admitted(self._twin), waits=self._wait),
                Route("PUT", "/v1/twin/reported", self._admitted(self._report)),
                Route("POST", "/v1/certificate", self._admitted(self._renew)),
            ],
            admission,
            executor,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if self._models is None or not (path == "/v2" or path.startswith("/v2/")):
            await self._door(scope, receive, send)
            return
        try:
            connection = scope["state"][CONNECTION]
            await asyncio.get_running_loop().run_in_executor(self._executor, self._admit, connection)
        except Exception as error:
            await send_and_close(receive, send, refusal(error), "")
            return
        await self._models(scope, receive, send)

    def _admitted(self, handler: _ForDevice) -> Handler:
        return lambda call: handler(self._admit(call.connection), call)

    def _admit(self, connection: Connection) -> Device:
        """The device at the other end. Raises Untrusted (HAL-714, HAL-715, HAL-716)."""
        if connection.certificate is None:
            raise Untrusted("HAL-715", "no certificate was shown. Join first: halocline agent join INVITE")
        if connection.facts is None:
            connection.facts = read_certificate(connection.certificate)
        peer = joining.Peer(certificate=connection.facts, opened_s=connection.opened_s)
        return joining.admit(self._hub.store, peer, self._hub.clock(), repeats=self._repeats)

    def _twin(self, device: Device, call: Call) -> Answer:
        """GET /v1/twin"""
        started = call.headers.get(channel.START_HEADER)
        if started is not None:
            boot, start = channel.decode_start(started)
            twins.hear(self._hub.store, self._starts, device, boot, start, now_s=self._hub.clock())
        with self._hub.store.look() as tx:
            desired = tx.twin(device.id).desired
        tag = (b"etag", twins.etag(desired.generation).encode())
        if twins.is_known(desired.generation, call.headers.get("if-none-match", "")):
            return Answer(304, b"", [tag])
        return reply(channel.TwinReply(desired=desired, now_s=self._hub.clock()), 200, tag)

    async def _wait(self, call: Call, answer: Answer, receive: Receive) -> bool:
        """Wait with a device that asked for it and has what is wanted of it already."""
        wait_s = _wait_s(call.query.get(channel.WAIT, []))
        if not wait_s or answer.status != 304:
            return False
        generation = int(dict(answer.headers)[b"etag"].strip(b'"'))
        return await self._room.wait(call.connection.facts.device, generation, wait_s, receive)

    def _report(self, device: Device, call: Call) -> Answer:
        """PUT /v1/twin/reported"""
        asked = channel.decode(call.body, channel.ReportRequest)
        twins.report(self._hub.store, device.id, asked.reported, now_s=self._hub.clock())
        return Answer(204, b"", [])

    def _renew(self, device: Device, call: Call) -> Answer:
        """POST /v1/certificate"""
        asked = channel.decode(call.body, channel.RenewRequest)
        now_s = self._hub.clock()
        joined = joining.renew(
            self._hub.store,
            self._hub.authority,
            device_id=device.id,
            csr=asked.csr,
            now_s=now_s,
            rules=self._hub.rules,
        )
        return joined_reply(self._hub, joined, now_s)


def _wait_s(values: list[str]) -> float:
    """How long a device asks to wait. Raises Rejected (HAL-790)."""
    if not values:
        return 0.0
    try:
        wait_s = float(values[-1])
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MOST_LONG_POLL_S:
        raise Rejected(
            "HAL-790", f"{channel.WAIT} must be in [0, {MOST_LONG_POLL_S:g}] seconds, got {values[-1][:40]!r}"
        )
    return wait_s


def joined_reply(hub: Hub, joined: joining.Joined, now_s: float) -> Answer:
    """200 with a certificate; 202 where the device waits to be accepted."""
    message = channel.JoinReply(
        device=joined.device.id,
        certificate=joined.certificate,
        ca=hub.authority.roots_pem,
        channel=hub.channel_url,
        code=joined.device.code,
        now_s=now_s,
    )
    return reply(message, 200 if joined.certificate else 202)
