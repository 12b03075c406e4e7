"""Run the hub in a process of its own: devices join it, and reach the cloud models through it."""

from pathlib import Path

import msgspec

from halocline.adapters.http.door import Door
from halocline.adapters.http.people import PeopleDoor
from halocline.demo.program import Program
from halocline.wire.people import InviteRequest

INVITE_S = 600.0


class HubProcess(Program):
    """`halocline hub serve` on free ports; devices are told the URL of whatever stands before its door."""

    def __init__(self, folder: Path) -> None:
        super().__init__("hub", folder)
        self._state = folder / "hub"
        self._people = ""
        self.ca = Path()
        """The root authority's certificate."""
        self.device_port = 0
        """Where the device door itself listens."""

    def start(self, device_url: str, models: dict[str, str]) -> None:
        """Start it and wait for its doors; `models` are URLs by name. Raises as `announced`."""
        arguments = ["hub", "serve", "--state", str(self._state), "--device-url", device_url]
        for door in ("device", "people", "join"):
            arguments += [f"--{door}-port", "0"]
        for name, url in models.items():
            arguments += ["--cloud-model", f"{name}={url}"]
        told = self.announced(arguments, _Announced)
        self.ca, self.device_port, self._people = Path(told.ca), told.ports["device"], told.urls["people"]

    def invite(self, uses: int) -> str:
        """One string by which so many devices join, made as the hub's admin. Raises HaloclineError."""
        token = (self._state / "admin.token").read_text().strip()
        door = Door(self._people, ca=self.ca.read_bytes(), token=token)
        with PeopleDoor(door) as people:
            return people.invite(InviteRequest(ttl_s=INVITE_S, uses=uses)).invite


class _Announced(msgspec.Struct):
    ca: str
    urls: dict[str, str]
    ports: dict[str, int]
