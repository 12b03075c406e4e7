"""A device of a real hub, without the thread of its line: a test says when it steps."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from halocline.adapters.device_folder.folder import DeviceFolder, held
from halocline.adapters.http.hub_link import HubLink
from halocline.adapters.http.joining import Wanted, join
from halocline.edge.channel import ChannelLoop
from halocline.fleet import ModelSettings, Settings
from halocline.wire.invite import decode_invite


class NoModels:
    """A device that serves nothing, and takes up what it is told."""

    def effective(self) -> dict[str, ModelSettings]:
        return {}

    def apply(self, settings: Settings) -> str:
        return ""

    def renewed(self) -> None:
        pass


class RealAgent:
    """What a device keeps and asks; its clock is `ahead_s` before this machine's."""

    def __init__(self, folder: DeviceFolder) -> None:
        self.folder = folder
        self.ahead_s = 0.0
        self.memory = folder.memory
        self.link = HubLink(folder, timeout_s=20, clock_s=lambda: time.time() + self.ahead_s)
        self.loop = ChannelLoop(self.link, self.memory, NoModels(), share=lambda: 0.5)

    def step(self) -> str:
        """Ask once; what went wrong."""
        self.loop.step()
        return self.loop.state.error


def join_by(folder: DeviceFolder, invite: str) -> str:
    """Join as `halocline agent join` does; the device's id."""
    read = decode_invite(invite)
    wanted = Wanted(url=read.url, fingerprint=read.fingerprint, secret=read.shown)
    return join(folder, wanted, wait_s=0, waits=lambda _: None, share=lambda: 0.5).device


@contextlib.contextmanager
def real_agent(state: Path, invite: str = "") -> Iterator[RealAgent]:
    """A device in its folder, joined by the invite where one is given."""
    with held(state) as folder:
        if invite:
            join_by(folder, invite)
        folder.memory.count_boot()
        agent = RealAgent(folder)
        try:
            yield agent
        finally:
            agent.loop.close()
