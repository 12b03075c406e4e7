"""A device's folder is as before or whole, at whatever point the process that writes it is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from device_hub import DAY_S, DeviceHub

from halocline.adapters.device_folder.folder import held
from halocline.adapters.device_folder.identity import read_identity
from halocline.cli import main
from halocline.fleet import DeviceState

# Runs a program that ends without a word (as kill -9 does) at the n-th thing that it does to the folder.
_KILLED = """
import os, sys
folder, at, count = sys.argv[1], int(sys.argv[2]), 0
def hook(event, arguments):
    global count
    if event in ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "sqlite3.connect", "open") and any(
        isinstance(each, (str, os.PathLike)) and folder in str(each) for each in arguments
    ):
        count += 1
        if count == at:
            os._exit(9)
sys.addaudithook(hook)
"""
_JOIN = _KILLED + "from halocline.cli import main; sys.exit(main(sys.argv[3:]))"
_RENEW = (
    _KILLED
    + """
from halocline.adapters.device_folder.folder import held
from halocline.adapters.http.hub_link import HubLink
from pathlib import Path
with held(Path(folder)) as device:
    HubLink(device).renew()
"""
)


def _killed(program: str, state: Path, at: int, *words: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program, str(state), str(at), *words], capture_output=True, timeout=60
    )
    assert done.returncode in (0, 9), done.stderr
    return done.returncode


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory):
    with DeviceHub(tmp_path_factory.mktemp("hub")).open() as hub:
        yield hub


def test_joining_again_after_a_kill_at_any_point_gives_one_device(hub: DeviceHub, tmp_path: Path) -> None:
    points = 0
    for at in range(1, 60):
        state = tmp_path / f"dev{at}"
        words = ["agent", "join", hub.invite(labels={"at": str(at)}), "--state", str(state)]
        if _killed(_JOIN, state, at, *words) == 0:
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
        code = _killed(_RENEW, state, at)
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
