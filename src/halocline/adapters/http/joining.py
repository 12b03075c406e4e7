"""Join a hub: whom to trust is checked first, the key stays here, and afterwards all is there or nothing."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from halocline.adapters.certificates.request import make_key, make_request
from halocline.adapters.device_folder.folder import Attempt, DeviceFolder
from halocline.adapters.device_folder.identity import Places, check_roots
from halocline.adapters.http.door import OTHER_DOOR, Door, raise_for
from halocline.decide.renewal import poll_wait
from halocline.decide.trusted_time import TrustedTime, told
from halocline.errors import Misconfigured, Rejected, Transient, Untrusted
from halocline.fleet import Facts
from halocline.wire.channel import JoinReply, JoinRequest, decode, encode

ASK_EVERY_S: Final = 5.0
"""So often a device that waits to be accepted asks again."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which hub to join, and by what."""

    url: str
    """The joining door, https://HOST:PORT."""
    fingerprint: str
    """`sha256:…` of the root authority's certificate: nothing is sent to who cannot show it."""
    secret: str = ""
    """The invite's, as it travels; empty asks to be accepted by someone."""
    facts: Facts = Facts()


def join(
    folder: DeviceFolder,
    wanted: Wanted,
    *,
    wait_s: float,
    waits: Callable[[JoinReply], None],
    timeout_s: float = 15.0,
    sleep: Callable[[float], None] = time.sleep,
    share: Callable[[], float] = lambda: 0.5,
) -> Places:
    """Make the device's identity in the folder. `waits` is told once that someone must accept.

    The machine's clock does not count: the fingerprint decides. A key whose answer was lost is used again.
    Raises Misconfigured (HAL-726) where the folder has an identity, Untrusted where the hub is not the one
    or refuses, Transient where it cannot be reached or nobody accepted within `wait_s`.
    """
    known = folder.identity()
    if known is not None:
        raise Misconfigured(
            "HAL-726",
            f"{folder.path} holds an identity already: {known.places.device} of {known.places.join}. Give "
            "another --state, or move that folder away",
        )
    with Door(wanted.url, fingerprint=wanted.fingerprint, timeout_s=timeout_s, passed_s=lambda: 0.0) as door:
        door.trust()
        key = folder.begin(Attempt(join=door.url, fingerprint=wanted.fingerprint), make_key())
        try:
            reply = _ask(door, key, wanted)
            reply = _wait(door, key, wanted, reply, wait_s, waits, sleep, share)
            places = _places(reply, wanted, door)
            folder.enrol(key=key, chain=reply.certificate, ca=_roots(reply, door), places=places)
        except (Rejected, Untrusted, Misconfigured) as refused:
            folder.give_up()
            raise Untrusted(refused.code, refused.message) from None
        _keep_time(folder, reply, door)
    return places


def _ask(door: Door, key: bytes, wanted: Wanted) -> JoinReply:
    """Ask once. Of another of the hub's doors the error says so."""
    request = JoinRequest(csr=make_request(key), invite=wanted.secret, facts=wanted.facts)
    asked = door.ask("POST", "/v1/join", encode(request))
    try:
        raise_for(asked)
    except Rejected as error:
        if error.code != "HAL-741":
            raise
        raise Rejected(error.code, f"{error.message}. {OTHER_DOOR}") from None
    return decode(asked.body, JoinReply)


def _wait(
    door: Door,
    key: bytes,
    wanted: Wanted,
    reply: JoinReply,
    wait_s: float,
    waits: Callable[[JoinReply], None],
    sleep: Callable[[float], None],
    share: Callable[[], float],
) -> JoinReply:
    """Ask again until someone has accepted."""
    until_s = time.monotonic() + wait_s
    if not reply.certificate:
        waits(reply)
    while not reply.certificate:
        pause_s = poll_wait(ASK_EVERY_S, share=share())
        if time.monotonic() + pause_s > until_s:
            raise Transient(
                "HAL-727",
                f"{reply.device} waits to be accepted, with the code {reply.code}. Accept it: halocline "
                f"device accept {reply.device}; then run this command again",
            )
        sleep(pause_s)
        try:
            reply = _ask(door, key, wanted)
        except Transient:
            continue  # the hub may be away for a while; the key is kept
    return reply


def _places(reply: JoinReply, wanted: Wanted, door: Door) -> Places:
    Door(reply.channel, ca=door.ca).close()  # a hub that says no usable address is found out now
    return Places(device=reply.device, channel=reply.channel, join=door.url, fingerprint=wanted.fingerprint)


def _roots(reply: JoinReply, door: Door) -> bytes:
    """Whom to trust from now on: the root of the fingerprint, and what the hub of that root says beside."""
    assert door.ca is not None  # it was found by its fingerprint
    if not reply.ca:
        return door.ca
    check_roots(reply.ca)
    return reply.ca.encode()


def _keep_time(folder: DeviceFolder, reply: JoinReply, door: Door) -> None:
    known = told(
        TrustedTime(),
        reply.now_s,
        certified=door.certified,
        steady_s=time.monotonic(),
        clock_s=time.time(),
    )
    folder.memory.keep_time(known)
