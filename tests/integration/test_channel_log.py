"""Who reads a device's log learns what became of its line to the hub, once."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from device_hub import DeviceHub
from test_device_channel import Agent, join

from halocline.fleet import ModelSettings
from halocline.hub import joining


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeviceHub]:
    (tmp_path / "hub").mkdir()
    with DeviceHub(tmp_path / "hub").open() as hub:
        yield hub


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "dev"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="halocline.channel")
    return caplog


def test_a_hub_that_is_away_is_told_once_and_that_it_is_back(
    hub: DeviceHub, state: Path, log: pytest.LogCaptureFixture
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        agent.step()
        assert log.messages == []
        hub.fail["/v1/twin"] = (503, {}, b"")
        for _ in range(5):
            agent.step()
        (told,) = log.messages
        assert "the hub is asked again" in told
        hub.fail.clear()
        agent.step()
        agent.step()
        assert log.messages[1:] == ["the hub answers again"]


def test_what_the_hub_set_is_told_with_what_became_of_it(
    hub: DeviceHub, state: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        hub.set(models={"edge": ModelSettings(threshold=0.7)})
        agent.step()
        agent.step()
        assert log.messages == ["the settings of generation 1 are in force"]
        monkeypatch.setattr(agent.models, "apply", lambda _: "no model 'egde' is served here")
        hub.set(models={"edge": ModelSettings(threshold=0.8)})
        agent.step()
        assert log.messages[1] == "the settings of generation 2 are refused: no model 'egde' is served here"


def test_a_device_that_was_revoked_says_so(
    hub: DeviceHub, state: Path, log: pytest.LogCaptureFixture
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        agent.step()
        joining.revoke(hub.store, device_id=hub.devices()[0].id, actor="person:ann", now_s=hub.now_s)
        agent.step()
        agent.step()
    (told,) = log.messages
    assert "HAL-714" in told
