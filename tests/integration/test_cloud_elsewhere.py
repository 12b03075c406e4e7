"""A hub serves its devices a cloud model that is on another server, and says so where that is away."""

import contextlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hub_processes import PORTS_0, HubProcess, device, free_ports, join
from servers import linear, serving, slow

import halocline as hc
from halocline.adapters.device_folder.identity import Identity
from halocline.adapters.http import RemoteModel
from halocline.assemble_hub import models
from halocline.cli import main
from halocline.errors import HaloclineError
from halocline.wire.people import InviteRequest

ROWS = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], np.float32)


def joined(hub: HubProcess, state: Path) -> Identity:
    """A device of the hub."""
    with hub.people() as people, device(state) as folder:
        join(folder, people.invite(InviteRequest(ttl_s=600, uses=1)).invite)
        identity = folder.identity()
        assert identity is not None
        return identity


def asked(identity: Identity, model: str) -> RemoteModel:
    """The hub's model, as a device asks it."""
    url = f"{identity.places.channel}/v2/models/{model}"
    return hc.connect(url, ca=identity.chain.with_name("ca.pem"), cert=(identity.chain, identity.key))


def test_a_device_gets_the_other_servers_answer_under_the_hubs_name(tmp_path: Path) -> None:
    path = linear(tmp_path)
    log = tmp_path / "access.jsonl"
    with serving(path, access_log=str(log)) as cloud:
        url = f"gpu={cloud.url}/v2/models/linear"
        with HubProcess(tmp_path / "hub", *PORTS_0, "--cloud-model", url) as hub:
            identity = joined(hub, tmp_path / "dev")
            with asked(identity, "gpu") as model:
                spec = model.wait_ready(30)
                assert spec.ref.name == "gpu"
                answer = model.infer({"x": ROWS}, call_id="asked-7")
                logged = [json.loads(line)["id"] for line in log.read_text().splitlines()]
                assert logged == ["asked-7"], "the device's log can be held against the other server's"
                (expected,) = hc.load(path).run({"x": ROWS})
                np.testing.assert_allclose(answer.outputs["p"], expected, rtol=1e-6)
                assert answer.model.name == "gpu"
                with pytest.raises(
                    HaloclineError, match=r"status 400.*axis -1 is 2, expected 3"
                ):  # found out at the hub
                    model.infer({"x": ROWS[:, :2]})
            with hub.people() as people:
                assert people.status().models == ["gpu"]
            assert hub.stop() == 0


def test_while_the_other_server_is_away_devices_are_told_and_served_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    path = linear(tmp_path)
    (port,) = free_ports(1)
    url = f"gpu=http://127.0.0.1:{port}/v2/models/linear"
    with contextlib.ExitStack() as away:
        away.enter_context(serving(path, port=port))
        with HubProcess(tmp_path / "hub", *PORTS_0, "--cloud-model", url) as hub:
            with asked(joined(hub, tmp_path / "dev"), "gpu") as model:
                model.wait_ready(30)
                model.infer({"x": ROWS})
                away.close()
                for _ in range(7):
                    with pytest.raises(HaloclineError) as refused:
                        model.infer({"x": ROWS})
                    assert "status 503: the server of gpu@1" in str(refused.value)
                assert "tried again in" in str(refused.value), "the breaker is open"
                with hub.people() as people:
                    assert people.status().models == ["gpu"]
                with serving(path, port=port):
                    assert comes_back(model)
            assert hub.stop() == 0


def comes_back(model: RemoteModel) -> bool:
    """Whether it answers again; the breaker tries the server each second."""
    until_s = time.monotonic() + 60.0
    while time.monotonic() < until_s:
        with contextlib.suppress(HaloclineError):
            model.infer({"x": ROWS})
            return True
        time.sleep(0.1)
    return False


def test_an_answer_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    with serving(slow(tmp_path)) as cloud:
        more = ("--cloud-model", f"gpu={cloud.url}/v2/models/slow", "--cloud-deadline-s", "0.3")
        with HubProcess(tmp_path / "hub", *PORTS_0, *more) as hub:
            with asked(joined(hub, tmp_path / "dev"), "gpu") as model:
                model.wait_ready(30)
                with pytest.raises(HaloclineError, match=r"status 503.*no answer within 0\.3"):
                    model.infer({"x": np.array([[1000.0]], np.float32)})
            assert hub.stop() == 0


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("gpu=http://127.0.0.1:9/v2/models/m", "HAL-770"),
        ("http://127.0.0.1:9/v2/models/m", "HAL-773"),
        ("gpu=http://127.0.0.1:9/m", "HAL-104"),
    ],
)
def test_a_hub_does_not_start_with_a_model_that_it_cannot_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: str, code: str
) -> None:
    monkeypatch.setattr(models, "_CLOUD_WAIT_S", 0.2)
    umask = os.umask(0)
    try:
        words = ["hub", "serve", "--state", str(tmp_path / "hub"), *PORTS_0, "--cloud-model", given]
        assert main(words) != 0
    finally:
        os.umask(umask)
    assert code in capsys.readouterr().err
