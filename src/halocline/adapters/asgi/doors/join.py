"""The joining door: for devices that have no certificate that holds; it asks none and rations its callers."""

import secrets
import time
from concurrent.futures import Executor

from halocline.adapters.asgi.answers import Answer
from halocline.adapters.asgi.doors.device import joined_reply
from halocline.adapters.asgi.doors.door import Call, Door, Route, reply
from halocline.adapters.asgi.doors.hub import Hub
from halocline.adapters.asgi.doors.status import Throttled
from halocline.hub import joining
from halocline.hub.rates import Rates
from halocline.serving.admission import Admission
from halocline.wire import channel


def join_door(hub: Hub, admission: Admission, executor: Executor, *, per_s: float, burst: int) -> Door:
    """The ASGI application; one address may ask `per_s` times a second, and `burst` times at once."""
    desk = _JoinDesk(hub)
    routes = [
        Route("POST", "/v1/join", desk.join),
        Route("GET", "/v1/nonce", desk.nonce),
        Route("POST", "/v1/rejoin", desk.rejoin),
    ]
    return Door(routes, admission, executor, knock=_Rationing(per_s, burst).knock)


class _Rationing:
    """Counts knocks by address; used on the event loop alone."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._rates = Rates(per_s=per_s, burst=burst)

    def knock(self, address: str) -> None:
        """Count a request. Raises Transient (HAL-743) where it is one too many."""
        wait_s = self._rates.wait_s(address, time.monotonic())
        if wait_s:
            raise Throttled(f"too many requests to join from {address}; wait {wait_s} s", wait_s)


class _JoinDesk:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def join(self, call: Call) -> Answer:
        """POST /v1/join"""
        asked = channel.decode(call.body, channel.JoinRequest)
        now_s = self._hub.clock()
        joined = joining.join(
            self._hub.store,
            self._hub.authority,
            csr=asked.csr,
            invite=asked.invite,
            facts=asked.facts,
            labels=asked.labels,
            address=call.address,
            chance=secrets.token_bytes(joining.CHANCE_BYTES),
            now_s=now_s,
            rules=self._hub.rules,
        )
        return joined_reply(self._hub, joined, now_s)

    def nonce(self, _: Call) -> Answer:
        """GET /v1/nonce"""
        now_s = self._hub.clock()
        chance = secrets.token_bytes(joining.CHANCE_BYTES)
        nonce = joining.nonce(self._hub.authority, chance=chance, now_s=now_s)
        return reply(channel.NonceReply(nonce=nonce, now_s=now_s))

    def rejoin(self, call: Call) -> Answer:
        """POST /v1/rejoin"""
        asked = channel.decode(call.body, channel.RejoinRequest)
        now_s = self._hub.clock()
        joined = joining.rejoin(
            self._hub.store,
            self._hub.authority,
            csr=asked.csr,
            nonce=asked.nonce,
            signature=asked.signature,
            address=call.address,
            chance=secrets.token_bytes(joining.CHANCE_BYTES),
            now_s=now_s,
            rules=self._hub.rules,
        )
        return joined_reply(self._hub, joined, now_s)
