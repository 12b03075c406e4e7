"""Devices that were told to wait at the hub hear of a change at once, and one too many is polled instead."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub_processes import PORTS_0, HubProcess, device, join

from halocline.adapters.asgi.answers import Disconnected
from halocline.adapters.asgi.doors.waiting import WaitingRoom
from halocline.adapters.device_folder.identity import read_identity
from halocline.adapters.http.hub_link import HubLink
from halocline.edge.channel import ChannelLoop
from halocline.errors import HaloclineError
from halocline.fleet import Desired, Device, DeviceState, ModelSettings, Settings
from halocline.testing.memory_store import MemoryStore
from halocline.wire.people import InviteRequest

POLL_S = 600.0
"""Nobody who polls hears of anything within a test."""


class Models:
    """What a hub may set here; `applied` tells when."""

    def __init__(self) -> None:
        self.threshold = 0.5
        self.applied = threading.Event()

    def effective(self) -> dict[str, ModelSettings]:
        return {"edge": ModelSettings(threshold=self.threshold)}

    def apply(self, settings: Settings) -> str:
        threshold = settings.models.get("edge", ModelSettings()).threshold
        if threshold is not None:
            self.threshold = threshold
            self.applied.set()
        return ""

    def renewed(self) -> None:
        pass


@contextlib.contextmanager
def waiting(path: Path, invite: str) -> Iterator[HubLink]:
    """A device that has joined, and its link."""
    with device(path) as folder:
        join(folder, invite)
        with contextlib.closing(HubLink(folder)) as link:
            link.desired(None)
            yield link


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with room for two that wait."""
    with HubProcess(tmp_path_factory.mktemp("long") / "hub", *PORTS_0, "--max-waiting", "2") as running:
        yield running
        began_s = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began_s < 10


def invite(hub: HubProcess, uses: int = 1) -> str:
    with hub.people() as people:
        return str(people.invite(InviteRequest(ttl_s=600, uses=uses)).invite)


def until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_a_threshold_reaches_a_device_that_waits_within_a_moment(hub: HubProcess, tmp_path: Path) -> None:
    with hub.people() as people:
        # What it is told before it comes first, it hears at its first look.
        with device(tmp_path / "dev") as folder:
            name = join(folder, invite(hub)).device
        people.set(name, Settings(long_poll_s=60.0), reason="")
        models = Models()
        with device(tmp_path / "dev") as folder:
            loop = ChannelLoop(HubLink(folder), folder.memory, models, share=lambda: 0.5, poll_s=POLL_S)
            loop.start()
            until(lambda: people.device(name).twin.reported is not None)
            until(lambda: people.status().waiting == 1)
            people.set(name, Settings(models={"edge": ModelSettings(threshold=0.75)}), reason="")
            began_s = time.monotonic()
            assert models.applied.wait(30)
            assert time.monotonic() - began_s < 2
            assert models.threshold == 0.75
            until(lambda: people.device(name).twin.reported.generation == 2)
            began_s = time.monotonic()
            loop.close()
            assert time.monotonic() - began_s < 2


def test_one_more_than_the_hub_has_room_for_is_answered_at_once_and_told_to_poll(
    hub: HubProcess, tmp_path: Path
) -> None:
    invited = invite(hub, 3)
    with contextlib.ExitStack() as open_now:
        links = [open_now.enter_context(waiting(tmp_path / f"d{at}", invited)) for at in range(3)]
        with ThreadPoolExecutor(3) as together:
            began_s = time.monotonic()
            answers = [
                (waited, time.monotonic() - began_s)
                for _, waited in together.map(lambda link: link.await_desired(0, 2.0), links)
            ]
        assert sorted(waited for waited, _ in answers) == [False, True, True]
        assert links[0].await_desired(0, 0.5) == (None, True)  # room is there again


def test_a_device_that_is_shut_out_while_it_waits_hears_of_it_at_once(
    hub: HubProcess, tmp_path: Path
) -> None:
    with waiting(tmp_path / "dev", invite(hub)) as link, ThreadPoolExecutor(1) as beside:
        asked = beside.submit(link.await_desired, 0, 30.0)
        with hub.people() as people, device_id(tmp_path / "dev") as name:
            until(lambda: people.status().waiting == 1)
            people.revoke(name, reason="lost")
        with pytest.raises(HaloclineError) as refused:
            asked.result(5)
    assert refused.value.code == "HAL-714"


def test_a_time_that_no_hub_waits_is_refused(hub: HubProcess, tmp_path: Path) -> None:
    with waiting(tmp_path / "dev", invite(hub)) as link:
        with pytest.raises(HaloclineError) as refused:
            link.await_desired(0, 1e6)
    assert refused.value.code == "HAL-790"


@contextlib.contextmanager
def known(store: MemoryStore, count: int) -> Iterator[list[str]]:
    """So many devices in a store; their ids."""
    ids = [f"dev-{number:016}" for number in range(count)]
    with store.change() as tx:
        for each in ids:
            tx.put_device(Device(id=each, key=each, state=DeviceState.ENROLLED, created_s=0.0))
    yield ids


async def never() -> dict[str, str]:
    """What a device sends while it waits."""
    await asyncio.Event().wait()
    raise AssertionError


def test_what_another_hub_changes_reaches_those_who_wait_and_a_thousand_take_no_thread() -> None:
    store = MemoryStore()

    async def wait(ids: list[str]) -> tuple[int, list[bool], float]:
        with ThreadPoolExecutor(1) as executor:
            room = WaitingRoom(store, executor, most=2000, is_stopping=lambda: False)
            asked = [asyncio.ensure_future(room.wait(each, 0, 20.0, never)) for each in ids]
            await asyncio.sleep(0)
            inside, began_s = room.count, time.monotonic()
            await asyncio.get_running_loop().run_in_executor(executor, change, ids[7])
            assert await asked[7]
            took_s = time.monotonic() - began_s
            room.changed(ids[8])
            assert await asked[8]
            return inside, [each.done() for each in asked], took_s

    def change(device_id: str) -> None:
        with store.change() as tx:
            tx.put_desired(device_id, Desired(generation=1))

    with known(store, 1000) as ids:
        inside, done, took_s = asyncio.run(wait(ids))
    assert inside == 1000
    assert [at for at, is_done in enumerate(done) if is_done] == [7, 8]
    assert took_s < 5


def test_who_goes_away_gives_the_place_back_and_nobody_waits_at_a_hub_that_stops() -> None:
    stopping: list[bool] = []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def wait() -> None:
        with ThreadPoolExecutor(1) as executor:
            room = WaitingRoom(store, executor, most=1, is_stopping=lambda: bool(stopping))
            with pytest.raises(Disconnected):
                await room.wait(ids[0], 0, 20.0, gone)
            assert room.count == 0
            asked = asyncio.ensure_future(room.wait(ids[0], 0, 20.0, never))
            await asyncio.sleep(0)
            assert not await room.wait(ids[1], 0, 20.0, never)
            stopping.append(True)
            assert not await asked

    store = MemoryStore()
    with known(store, 2) as ids:
        asyncio.run(wait())


@contextlib.contextmanager
def device_id(path: Path) -> Iterator[str]:
    identity = read_identity(path)
    assert identity is not None
    yield identity.places.device
