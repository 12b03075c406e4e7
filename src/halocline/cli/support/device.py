"""What a support bundle says of a device: who it is, its certificate, its settings and its configuration."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halocline.adapters.device_folder.folder import attempt_in, is_held
from halocline.adapters.device_folder.identity import CHAIN, IDENTITY, read_identity
from halocline.adapters.device_folder.memory import FILE, DeviceMemory
from halocline.cli.support import Part
from halocline.cli.support.certificates import facts_in
from halocline.errors import HaloclineError


def is_device(state: Path) -> bool:
    """Whether a device's state lies there, also of one that has not joined yet."""
    return any((state / each).exists() for each in (IDENTITY, FILE, "joining"))


def device_parts(state: Path) -> Iterator[Part]:
    """Of the device whose state this is."""
    yield Part(
        name="device/status.json",
        about="the device's name, its hub, and whether its agent runs",
        content=_status(state),
    )
    yield Part(
        name="device/certificates.json",
        about="names, issuers, serial numbers and times of its certificates; no key",
        content={name: facts_in(state / IDENTITY / name) for name in (CHAIN, "ca.pem")},
    )
    yield Part(
        name="device/twin.json",
        about="the settings that are in force, the last report, the count of starts and the known time",
        content=_twin(state),
    )


def configuration_part(config: Path) -> Part:
    """What an agent's configuration says, and where each value came from."""
    from halocline.wire.agent_file import read_agent_file, told

    try:
        values: Any = {
            name: {"value": value, "from": source}
            for name, value, source in told(read_agent_file(config, os.environ))
        }
    except HaloclineError as error:
        values = {"error": str(error)}
    return Part(
        name="device/configuration.json",
        about=f"each value of {config} in force, and where it came from",
        content=values,
    )


def _status(state: Path) -> dict[str, Any]:
    try:
        identity = read_identity(state)
    except HaloclineError as error:
        return {"error": str(error)}
    if identity is None:
        attempt = attempt_in(state)
        return {"device": None, "asked": None if attempt is None else attempt.join}
    places = identity.places
    return {
        "device": places.device,
        "hub": places.channel,
        "join": places.join,
        "fingerprint": places.fingerprint,
        "running": is_held(state),
    }


def _twin(state: Path) -> dict[str, Any]:
    if not (state / FILE).is_file():
        return {}
    try:
        memory = DeviceMemory(state / FILE, readonly=True)
        try:
            return {
                "boot": memory.boot,
                "applied": memory.applied(),
                "reported": memory.reported(),
                "time": memory.time(),
                "size_bytes": (state / FILE).stat().st_size,
            }
        finally:
            memory.close()
    except HaloclineError as error:
        return {"error": str(error)}
