"""A device's folder is as before or whole, at whatever point the process that writes it is killed."""

import os
from collections.abc import Callable
from pathlib import Path

import killed_device
import pytest
from device_hub import DAY_S, DeviceHub
from forked import Forked

from halocline.adapters.device_folder.folder import held
from halocline.adapters.device_folder.identity import read_identity
from halocline.cli import main
from halocline.fleet import DeviceState


def _killed(program: Callable[..., None], state: Path, at: int, *words: str) -> int:
    log = state.with_suffix(".log")
    process = Forked(program, state, at, *words, stderr=log)
    code = process.wait(60)
    process.stdout.close()
    assert code in (0, 9), log.read_text()
    return code


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory):
    with DeviceHub(tmp_path_factory.mktemp("hub")).open() as hub:
        yield hub


def test_joining_again_after_a_kill_at_any_point_gives_one_device(hub: DeviceHub, tmp_path: Path) -> None:
    points = 0
    for at in range(1, 60):
        state = tmp_path / f"dev{at}"
        words = ["agent", "join", hub.invite(labels={"at": str(at)}), "--state", str(state)]
        if _killed(killed_device.join, state, at, *words) == 0:
            break
        points += 1
        if read_identity(state) is None:
            assert main(words) == 0
        with held(state) as folder:
            identity = folder.identity()
            assert identity is not None
            assert not [each for each in os.listdir(state) if each.startswith(".") or each == "joining"]
        with hub.store.look() as tx:
            (device,) = tx.devices(labels={"at": str(at)})
        assert device.id == identity.places.device
        assert device.state is DeviceState.ENROLLED
    assert points >= 8


def test_a_renewal_that_is_killed_at_any_point_leaves_a_certificate_of_the_key(
    hub: DeviceHub, tmp_path: Path
) -> None:
    state = tmp_path / "dev"
    hub.behind_s = 0.6 * DAY_S
    assert main(["agent", "join", hub.invite(), "--state", str(state)]) == 0
    hub.behind_s = 0
    points = 0
    for at in range(1, 60):
        code = _killed(killed_device.renew, state, at)
        identity = read_identity(state)
        assert identity is not None
        if code == 0:
            break
        points += 1
        with held(state) as folder:
            folder.sweep()
            assert sorted(os.listdir(state / "identity")) == [
                "ca.pem",
                "certificate.pem",
                "hub.json",
                "key.pem",
            ]
    assert points >= 3
