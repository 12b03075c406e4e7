"""A first start that fails or is killed leaves a hub that its admin can still get into, and is told how."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import halocline as hc
from halocline.adapters.hub_folder import HubFolder, held
from halocline.assemble_hub.first_start import prepare
from halocline.testing.memory_store import MemoryStore

PATIENCE_S = 60.0


class Dying(HubFolder):
    """A process that is killed before the admin's token is on the disk."""

    def write(self, path, data, mode=0o600):
        if path == self.admin_token:
            raise KeyboardInterrupt
        super().write(path, data, mode)


def test_a_start_killed_before_the_token_was_kept_makes_another_at_the_next(tmp_path):
    store = MemoryStore()
    with held(tmp_path / "hub", alone=True) as folder:
        with pytest.raises(KeyboardInterrupt):
            prepare(Dying(folder.path), store)
        assert prepare(folder, store)
        assert folder.admin_token.read_text().startswith("hct_")


@contextlib.contextmanager
def started(folder, *more):
    command = [sys.executable, "-m", "halocline", "hub", "serve", "--state", str(folder / "hub")]
    doors = [f"--{door}-port" for door in ("device", "people", "join")]
    ports = [word for door in doors if door not in more for word in (door, "0")]
    environment = {**os.environ, "HALOCLINE_CONFIG": str(folder / "config")}
    with (folder / "log").open("w+") as log:
        hub = subprocess.Popen([*command, *ports, *more], stdout=log, stderr=log, env=environment)
    try:
        yield hub
    finally:
        hub.kill()  # also where a test failed
        hub.wait()


def test_what_to_do_next_is_told_until_a_device_has_joined(tmp_path):
    with started(tmp_path, "--cloud-model", "cloud=not-there.onnx") as failed:
        assert failed.wait(PATIENCE_S) == 2
    assert "not-there.onnx" in (tmp_path / "log").read_text()
    with started(tmp_path, "--cloud-model", f"cloud={hc.samples.digits().cloud_path}") as hub:
        until_s = time.monotonic() + PATIENCE_S
        while "3. on a device" not in (said := (tmp_path / "log").read_text()):
            assert hub.poll() is None
            assert time.monotonic() < until_s, said
            time.sleep(0.05)
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("door", ["device", "people", "join"])
def test_a_door_whose_port_is_in_use_is_named(tmp_path, door):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with started(tmp_path, f"--{door}-port", str(taken.getsockname()[1])) as failed:
            assert failed.wait(PATIENCE_S) == 2
    assert f"--{door}-port" in (tmp_path / "log").read_text()
