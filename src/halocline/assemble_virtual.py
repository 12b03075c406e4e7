"""Run devices that have no machine of their own: they join, follow their twin, report, and serve nobody."""

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from halocline import __version__
from halocline.decide.device_settings import refusal
from halocline.errors import Misconfigured, Transient
from halocline.fleet import Facts, ModelSettings, Settings

if TYPE_CHECKING:
    from halocline.adapters.device_folder.folder import DeviceFolder
    from halocline.wire.channel import JoinReply
    from halocline.wire.invite import Invitation

LABEL: Final = {"virtual": "yes"}
"""How people tell them from machines; what they report of their machine says it as well."""
FILE_SETTINGS: Final = ModelSettings(threshold=0.8, deadline_s=0.3)
"""What the configuration of a device would say, until the hub wants something else."""


class VirtualModels:
    """Models that answer nothing and take every setting that a device's could (see `channel.Settable`)."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._in_force = dict.fromkeys(names, FILE_SETTINGS)

    def effective(self) -> dict[str, ModelSettings]:
        """What is in force, for each model."""
        return self._in_force

    def apply(self, settings: Settings) -> str:
        """Take all of it and return "", or nothing of it and return why."""
        reason = refusal(settings, self._in_force)
        if not reason:
            self._in_force = {
                name: _laid_over(settings.models.get(name, ModelSettings())) for name in self._in_force
            }
        return reason

    def renewed(self) -> None:
        """Nothing holds a connection of the old certificate."""


@contextlib.contextmanager
def virtual_devices(
    invitation: "Invitation", folders: list[Path], *, models: tuple[str, ...], poll_s: float, stay: bool
) -> Iterator[list[str]]:
    """A device in each folder, joined where it has not, told and heard once; their ids.

    Those that `stay` look for changes every `poll_s` until the block ends. Raises what joining raises, and
    Transient (HAL-776) where a device that joined could not report.
    """
    with contextlib.ExitStack() as ending:
        yield [
            _begun(ending, invitation, folder, place, models, poll_s, stay)
            for place, folder in enumerate(folders, 1)
        ]


def _begun(
    ending: contextlib.ExitStack,
    invitation: "Invitation",
    path: Path,
    place: int,
    models: tuple[str, ...],
    poll_s: float,
    stay: bool,
) -> str:
    from halocline.adapters.device_folder.folder import held
    from halocline.adapters.http.hub_link import HubLink
    from halocline.edge.channel import ChannelLoop

    folder = ending.enter_context(held(path))
    device_id = _joined(folder, invitation, place)
    folder.memory.count_boot()
    taken = VirtualModels(models)
    taken.apply(folder.memory.applied().settings)
    loop = ChannelLoop(HubLink(folder), folder.memory, taken, share=random.random, poll_s=poll_s)
    ending.callback(loop.close)
    loop.step()
    if loop.state.error:
        raise Transient("HAL-776", f"{device_id} has joined and could not report: {loop.state.error}")
    if stay:
        loop.start()
    return device_id


def _joined(folder: "DeviceFolder", invitation: "Invitation", place: int) -> str:
    from halocline.adapters.http.joining import Wanted, join

    known = folder.identity()
    if known is not None:
        if known.places.fingerprint != invitation.fingerprint:
            raise Misconfigured(
                "HAL-726",
                f"{folder.path} holds a device of another hub, {known.places.join}. Give another --state",
            )
        return known.places.device
    facts = Facts(serial=f"virtual-{place}", machine="virtual", agent=__version__)
    wanted = Wanted(
        url=invitation.url, fingerprint=invitation.fingerprint, secret=invitation.shown, facts=facts
    )
    return join(folder, wanted, wait_s=0.0, waits=_never).device


def _never(reply: "JoinReply") -> None:
    """Who has an invite does not wait."""


def _laid_over(wanted: ModelSettings) -> ModelSettings:
    said = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    return msgspec.structs.replace(FILE_SETTINGS, **said)


def until_signal() -> None:
    """Return when Ctrl-C or SIGTERM comes."""
    import signal

    over = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: over.set())
    over.wait()
