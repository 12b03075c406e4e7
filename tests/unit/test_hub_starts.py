"""Two devices with one identity are told by their starts, whatever their boot counters say."""

import pytest

from halocline.errors import Rejected
from halocline.fleet import Device, DeviceState
from halocline.hub.starts import Starts
from halocline.hub.twins import hear
from halocline.testing.memory_store import MemoryStore
from halocline.wire.channel import decode_start, encode_start

ID = "dev-" + "a" * 16


def clones(*heard: tuple[int, str], apart_s: float = 100.0) -> list[str]:
    """Why clones were noted, after these boot counters and starts asked one after the other."""
    store, starts = MemoryStore(), Starts()
    with store.change() as tx:
        tx.put_device(Device(id=ID, key="sha256:1", state=DeviceState.ENROLLED, created_s=0.0))
    for at, (boot, start) in enumerate(heard):
        with store.look() as tx:
            device = tx.device(ID)
        assert device is not None
        hear(store, starts, device, boot, start, now_s=at * apart_s)
    with store.look() as tx:
        return [link.entry.reason for link in tx.audit() if link.entry.action == "device.clone"]


def test_a_device_that_is_restarted_is_no_clone() -> None:
    assert clones((1, "a"), (1, "a"), (2, "b"), (2, "b"), (5, "c"), (5, "c")) == []


def test_two_that_take_turns_are_a_clone_though_their_counters_are_equal() -> None:
    assert clones((2, "a"), (2, "b"), (2, "a")) == ["two starts with boot counter 2 take turns"]


def test_a_counter_that_goes_back_is_a_clone_at_once() -> None:
    assert clones((2, "a"), (1, "b")) == ["boot counter 1 after 2"]


def test_a_clone_that_goes_on_is_noted_once_a_minute() -> None:
    turns = [(2, "a"), (2, "b")] * 10
    assert len(clones(*turns, apart_s=1.0)) == 1
    assert len(clones(*turns, apart_s=100.0)) == 18


def test_who_was_heard_of_longest_ago_is_forgotten() -> None:
    starts = Starts(max_devices=2)
    for device in ("x", "y", "z"):
        assert not starts.comes_again(device, "1")
        assert not starts.comes_again(device, "2")
    assert not starts.comes_again("x", "1")
    assert starts.comes_again("z", "1")


def test_boot_and_start_travel_as_one_header() -> None:
    assert decode_start(encode_start(7, "3f9a1c2e")) == (7, "3f9a1c2e")
    for wrong in ("", "7", "7-", "-1-3f9a1c2e", "7-3F9A1C2E", "7-3f9a1c2e\n", "99999999999-3f9a1c2e"):
        with pytest.raises(Rejected, match="HAL-701"):
            decode_start(wrong)
