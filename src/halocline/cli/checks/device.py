"""Check a device: its folder, its identity and certificate, its hub's doors, its clock and its models."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from halocline.adapters.device_folder.folder import attempt_in, is_held
from halocline.adapters.device_folder.identity import check_certificate, read_identity
from halocline.adapters.device_folder.memory import FILE, DeviceMemory
from halocline.adapters.http.door import Asked, Door
from halocline.catalogue import CATALOGUE
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.checks.door import check_clock, check_door, check_proxy
from halocline.cli.checks.folders import check_modes, check_room
from halocline.cli.durations import said
from halocline.decide.trusted_time import TrustedTime, believed, passed
from halocline.errors import HaloclineError
from halocline.wire.channel import TwinReply, decode

if TYPE_CHECKING:
    from halocline.adapters.device_folder.identity import Identity

_LATE_SHARE = 0.25
"""A certificate is renewed from half of its life on: with less than this left, that has failed for long."""


def check_device(state: Path, config: Path | None, timeout_s: float) -> Iterator[Check]:
    """Every check of the device whose state this is; with `config`, of what it serves as well."""
    if not state.is_dir():
        yield fail("device folder", f"{state} is no folder", "give the agent's folder: --state DIR")
        return
    yield check_modes("device", state)
    yield check_room("device", state)
    try:
        identity = read_identity(state)
        time_known = _time(state, identity)
    except HaloclineError as error:
        yield _unusable("device identity", error)
        return
    if identity is None:
        yield _nobody(state)
    else:
        yield ok("device identity", f"{identity.places.device} of {identity.places.channel}")
        yield _check_key(identity)
        yield _check_validity(identity, time_known)
        yield from _check_hub(identity, time_known, timeout_s)
        yield ok("device agent", "runs" if is_held(state) else "does not run now")
    if config is not None:
        yield from _check_config(config)


def _time(state: Path, identity: "Identity | None") -> TrustedTime:
    """What this device knew of the time last, counted from now on as its agent does at a start."""
    known = TrustedTime()
    if (state / FILE).is_file():
        memory = DeviceMemory(state / FILE, readonly=True)
        known = memory.time()
        memory.close()
    begun_s = 0.0 if identity is None else identity.not_before_s
    return msgspec.structs.replace(known, passed_s=max(known.passed_s, begun_s), steady_s=time.monotonic())


def _nobody(state: Path) -> Check:
    asked = attempt_in(state)
    if asked is None:
        return fail("device identity", f"{state} holds none", f"halocline agent join INVITE --state {state}")
    return fail(
        "device identity",
        f"it asked {asked.join} to join, and nobody has accepted it",
        "accept it there: halocline device pending, device accept DEVICE; then run the same agent join again",
    )


def _check_key(identity: "Identity") -> Check:
    try:
        check_certificate(
            identity.chain.read_text("utf-8"), identity.key.read_bytes(), identity.places.device
        )
    except (OSError, UnicodeDecodeError, HaloclineError) as error:
        return fail(
            "device key",
            f"{identity.key} is not the key of {identity.chain.name}: {error}",
            "move the state folder away and join anew, or restore both files from one backup",
        )
    return ok("device key", "belongs to the certificate")


def _check_validity(identity: "Identity", known: TrustedTime) -> Check:
    """By what the device may believe of the time, not by the bare clock."""
    now_s = believed(known, steady_s=time.monotonic(), clock_s=time.time())
    end_s, life_s = identity.not_after_s, identity.not_after_s - identity.not_before_s
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end_s))
    if now_s >= end_s:
        return warn(
            "device certificate",
            f"it ended on {until}; the agent gets another one through the joining door",
            "start the agent: halocline agent run; after a long absence the hub's people accept it once more",
        )
    if end_s - now_s < _LATE_SHARE * life_s:
        return warn(
            "device certificate",
            f"valid until {until}, for {said(end_s - now_s)} more, and not renewed yet",
            "see that the agent runs and reaches its hub",
        )
    return ok("device certificate", f"valid until {until}, for {said(end_s - now_s)} more")


def _check_hub(identity: "Identity", known: TrustedTime, timeout_s: float) -> Iterator[Check]:
    places = identity.places

    def passed_s() -> float:
        return passed(known, steady_s=time.monotonic())

    def twin(door: Door) -> Asked:
        return door.ask("GET", "/v1/twin")

    def nonce(door: Door) -> Asked:
        return door.ask("GET", "/v1/nonce")

    try:
        with (
            Door(
                places.channel,
                ca=identity.ca,
                cert=(identity.chain, identity.key),
                timeout_s=timeout_s,
                passed_s=passed_s,
            ) as channel,
            Door(places.join, ca=identity.ca, timeout_s=timeout_s, passed_s=passed_s) as join,
        ):
            yield check_proxy("device proxy", channel)
            check, asked = check_door("device door", channel, twin)
            yield check
            if asked is not None:
                yield _check_time(asked)
            yield check_door("device join door", join, nonce)[0]
    except HaloclineError as error:
        yield _unusable("device hub", error)


def _check_time(asked: Asked) -> Check:
    try:
        reply = decode(asked.body, TwinReply)
    except HaloclineError as error:
        return _unusable("device clock", error)
    return check_clock("device clock", reply.now_s, so="; the device reckons with it")


def _check_config(config: Path) -> Iterator[Check]:
    from halocline.cli.agent_config import check_files
    from halocline.wire.agent_file import read_agent_file

    try:
        read = read_agent_file(config, os.environ)
        check_files(read)
    except HaloclineError as error:
        yield _unusable("device configuration", error)
        return
    yield ok("device configuration", f"{config} names {', '.join(read.models)}, whose files are there")


def _unusable(name: str, error: HaloclineError) -> Check:
    return fail(name, str(error), CATALOGUE[error.code].fix)
