"""Kill a hub again and again, at named points and at any time, while devices join, renew and are set."""

import collections
import contextlib
import os
import random
import signal
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import hub_killed
import msgspec
from hub_observer import Acknowledged, faults
from hub_processes import HubProcess, device, free_ports, join

from halocline.adapters.device_folder.folder import DeviceFolder
from halocline.adapters.http.hub_link import HubLink
from halocline.errors import HaloclineError
from halocline.fleet import ModelSettings, Reported, Settings
from halocline.wire.people import InviteRequest

STEPS: Final = ("join", "first-use", "renew", "set", "report")
PHASES: Final = ("begun", "written", "committed")
POINTS: Final = tuple(f"{step}.{phase}" for step in STEPS for phase in PHASES)
ANY_TIME: Final = "any time"
LONGEST_S: Final = 0.4
"""A kill at any time comes so long after the first step at the latest."""
OTHERS: Final = 4
"""So many older devices come back beside the newest after each kill; the observer looks at all of them."""


class Tally(msgspec.Struct):
    """What came of the kills."""

    kills: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    """How many, by point."""
    as_before: int = 0
    """Devices that had not joined when the hub died, and joined after it."""
    faults: list[str] = msgspec.field(default_factory=list)

    def table(self) -> str:
        """The kills by step and phase."""
        lines = [f"{'step':<12}" + "".join(f"{phase:>12}" for phase in PHASES)]
        for step in STEPS:
            counts = [self.kills[f"{step}.{phase}"] for phase in PHASES]
            lines += [f"{step:<12}" + "".join(f"{count:>12}" for count in counts)]
        return "\n".join([*lines, f"{ANY_TIME:<12}{self.kills[ANY_TIME]:>12}"])


class Campaign:
    """A hub in a folder, and the devices that it has let in so far."""

    def __init__(
        self, folder: Path, rng: random.Random, *, is_late: bool = False, database: str | None = None
    ) -> None:
        ports = zip(("--device-port", "--people-port", "--join-port"), free_ports(3), strict=True)
        self._serve = [word for option, port in ports for word in (option, str(port))]
        self._serve += [] if database is None else ["--database", database]
        self._database = database
        self._folder = folder
        self._rng = rng
        self._point = folder / "point"
        self._hub = partial(hub_killed.run, self._point, is_late)
        self._told: dict[Path, Acknowledged] = {}
        self._invites: dict[Path, str] = {}
        self.tally = Tally()

    def run(self, points: Sequence[str]) -> Tally:
        """Kill the hub once at each of these points; stop at the first fault."""
        hub = self._start()
        try:
            for point in points:
                self._kill(hub, point)
                hub = self._start()
                if self._observe(f"after {point}", at_rest=False) or self._come_back():
                    break
                if self._observe(f"after {point} and a restart", at_rest=True):
                    break
        finally:
            hub.kill()
        return self.tally

    def _start(self) -> HubProcess:
        self._point.unlink(missing_ok=True)
        return HubProcess(self._folder / "hub", *self._serve, run=self._hub)

    def _kill(self, hub: HubProcess, point: str) -> None:
        """Live on until the hub dies."""
        timer = None
        with hub.people() as people:
            new = self._folder / f"dev{len(self._told)}"
            self._invites[new] = people.invite(InviteRequest(ttl_s=3600, uses=1)).invite
            self._told[new] = Acknowledged()
            if point == ANY_TIME:
                timer = threading.Timer(self._rng.uniform(0.0, LONGEST_S), hub.process.kill)
                timer.start()
            else:
                beside = self._point.with_suffix(".new")
                beside.write_text(point, encoding="utf-8")
                os.replace(beside, self._point)
            with contextlib.suppress(HaloclineError):
                self._live(people, new)
        code = hub.died()
        if timer is not None:
            timer.join()
        assert code == -signal.SIGKILL, f"{point}: the hub ended with {code}"
        self.tally.kills[point] += 1

    def _live(self, people: Any, path: Path) -> None:
        """What a device goes through, in order; what is acknowledged is noted when it is."""
        told = self._told[path]
        with device(path) as folder:
            join(folder, self._invites[path])
            told.joined = True
            with contextlib.closing(HubLink(folder)) as link:
                link.desired(None)
                link.renew()
                link.desired(None)
                told.used = True
            self._set(people, folder, told)
            with contextlib.closing(HubLink(folder)) as link:
                self._report(link, told)

    def _set(self, people: Any, folder: DeviceFolder, told: Acknowledged) -> None:
        identity = folder.identity()
        assert identity is not None
        threshold = round(self._rng.uniform(0.1, 0.9), 6)
        settings = Settings(models={"edge": ModelSettings(threshold=threshold)})
        desired = people.set(identity.places.device, settings, reason="a change").twin.desired
        told.desired = (desired.generation, threshold)

    def _report(self, link: HubLink, told: Acknowledged) -> None:
        desired = link.desired(None)
        assert desired is not None
        link.report(Reported(generation=desired.generation))
        told.reported = desired.generation

    def _come_back(self) -> bool:
        """The newest device and some others go on where they were, by themselves; whether one cannot."""
        newest, *others = reversed(self._told)
        for path in (newest, *self._rng.sample(others, min(len(others), OTHERS))):
            told = self._told[path]
            try:
                with device(path) as folder:
                    if folder.identity() is None:
                        join(folder, self._invites[path])
                        told.joined = True
                        self.tally.as_before += 1
                    with contextlib.closing(HubLink(folder)) as link:
                        self._report(link, told)
                        told.used = True
            except HaloclineError as error:
                self.tally.faults.append(f"{path.name} is locked out: {error}")
        return bool(self.tally.faults)

    def _observe(self, when: str, *, at_rest: bool) -> bool:
        found = faults(self._folder / "hub", self._told, at_rest=at_rest, url=self._database)
        self.tally.faults += [f"{when}: {fault}" for fault in found]
        return bool(found)
