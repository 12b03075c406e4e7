"""A device joins, follows its hub, renews and comes home, whatever its clock shows; real TLS and steps."""

import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from device_hub import DAY_S, DeviceHub

from halocline.adapters.device_folder.folder import DeviceFolder, held
from halocline.adapters.http.hub_link import HubLink
from halocline.cli import NOT_TRUSTED, TRY_AGAIN, WRONG_USE, main
from halocline.edge.channel import ChannelLoop
from halocline.errors import Misconfigured, Transient
from halocline.fleet import DeviceState, ModelSettings, ReportState, Settings
from halocline.hub import joining

YEAR_S = 365.25 * DAY_S


class Models:
    """What a hub may set here: the threshold of `edge`, up to 1."""

    def __init__(self) -> None:
        self.threshold = 0.5
        self.renewals = 0

    def effective(self) -> dict[str, ModelSettings]:
        return {"edge": ModelSettings(threshold=self.threshold)}

    def apply(self, settings: Settings) -> str:
        threshold = settings.models.get("edge", ModelSettings()).threshold
        if threshold is not None and threshold > 1:
            return f"edge: threshold must be in [0, 1], got {threshold:g}"
        self.threshold = self.threshold if threshold is None else threshold
        return ""

    def renewed(self) -> None:
        self.renewals += 1


class Agent:
    """A device's line without its thread: a test says when it steps, and what its clock shows."""

    def __init__(self, state: Path, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._holding = held(state)
        self.folder: DeviceFolder = self._holding.__enter__()
        self.memory = self.folder.memory
        self.memory.count_boot()
        self.models = Models()
        self.link = HubLink(self.folder, timeout_s=20, clock_s=lambda: time.time() + self.ahead_s)
        self.loop = ChannelLoop(self.link, self.memory, self.models, share=lambda: 0.5)

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *raised: object) -> None:
        self.loop.close()
        self._holding.__exit__(None, None, None)

    def step(self) -> str:
        self.loop.step()
        return self.loop.state.error


def until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    give_up_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeviceHub]:
    (tmp_path / "hub").mkdir()
    with DeviceHub(tmp_path / "hub").open() as hub:
        yield hub


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "dev"


def join(hub: DeviceHub, state: Path, **invite: object) -> None:
    assert main(["agent", "join", hub.invite(**invite), "--state", str(state)]) == 0


def test_joining_makes_an_identity_that_nobody_else_can_read(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    join(hub, state, labels={"type": "cam"})
    (device,) = hub.devices()
    assert (device.state, device.labels) == (DeviceState.ENROLLED, {"type": "cam"})
    assert device.id in capsys.readouterr().out
    for path in (state, *state.rglob("*")):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path
    assert sorted(os.listdir(state)) == ["identity", "lock", "state.db"]


def test_status_says_who_the_device_is(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    join(hub, state)
    assert main(["agent", "status", "--state", str(state)]) == 0
    assert hub.devices()[0].id in capsys.readouterr().out
    with Agent(state):
        assert main(["agent", "status", "--state", str(state), "--json"]) == 0
    assert '"running":true' in capsys.readouterr().out


def test_a_state_folder_joins_once(hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    join(hub, state)
    assert main(["agent", "join", hub.invite(), "--state", str(state)]) == WRONG_USE
    assert "HAL-726" in capsys.readouterr().err
    assert len(hub.devices()) == 1


def test_a_refused_join_says_why_and_leaves_the_folder_as_before(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.behind_s = DAY_S
    late = hub.invite(ttl_s=60.0)
    hub.behind_s = 0
    assert main(["agent", "join", late, "--state", str(state)]) == NOT_TRUSTED
    assert "expired" in capsys.readouterr().err
    assert not state.exists()
    state.mkdir()
    assert main(["agent", "join", late, "--state", str(state)]) == NOT_TRUSTED
    assert os.listdir(state) == ["lock"]


def test_an_invite_for_another_hub_sends_nothing_here(
    hub: DeviceHub, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    other = DeviceHub(tmp_path / "other")
    other.join = hub.join
    assert main(["agent", "join", other.invite(), "--state", str(state)]) == NOT_TRUSTED
    assert "HAL-722" in capsys.readouterr().err
    assert not hub.asked
    assert not state.exists()


def test_half_an_invite_is_told(state: Path, hub: DeviceHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "join", hub.invite()[:-20], "--state", str(state)]) == WRONG_USE
    assert "HAL-711" in capsys.readouterr().err


def test_after_a_lost_answer_the_same_device_joins(hub: DeviceHub, state: Path) -> None:
    invite = hub.invite()
    hub.lose.add("/v1/join")
    assert main(["agent", "join", invite, "--state", str(state)]) == TRY_AGAIN
    assert main(["agent", "join", invite, "--state", str(state)]) == 0
    assert len(hub.devices()) == 1


def test_without_an_invite_a_device_waits_to_be_accepted(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["agent", "join", "--hub", hub.join, "--fingerprint", hub.authority.fingerprint]
    words += ["--state", str(state)]
    assert main([*words, "--wait", "0s"]) == TRY_AGAIN
    (device,) = hub.devices()
    assert device.code in capsys.readouterr().err
    joining.accept(hub.store, device_id=device.id, actor="person:ann", now_s=hub.now_s)
    assert main(words) == 0
    assert [each.id for each in hub.devices()] == [device.id]


def test_two_processes_never_hold_one_identity(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    with Agent(state), pytest.raises(Misconfigured, match="HAL-724"), held(state):
        pass


def test_a_change_at_the_hub_is_in_force_reported_and_remembered(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    hub.set(models={"edge": ModelSettings(threshold=0.9)}, poll_s=30.0)
    with Agent(state) as agent:
        assert agent.step() == ""
        assert agent.models.threshold == 0.9
        reported = hub.reported(hub.devices()[0].id)
        assert reported is not None
        assert (reported.generation, reported.state, reported.boot) == (1, ReportState.APPLIED, 1)
        assert reported.models["edge"].threshold == 0.9
        came = len(hub.asked)
        assert agent.step() == ""
        assert hub.asked[came:] == ["/v1/twin"]
    with Agent(state) as again:
        assert again.memory.applied().settings.models["edge"].threshold == 0.9


def test_a_refused_change_is_reported_with_its_reason_and_what_was_in_force_stays(
    hub: DeviceHub, state: Path
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        hub.set(models={"edge": ModelSettings(threshold=0.9)})
        agent.step()
        for bad in ({"models": {"edge": ModelSettings(threshold=80.0)}}, {"poll_s": 0.01}):
            hub.set(**bad)
            agent.step()
            reported = hub.reported(hub.devices()[0].id)
            assert reported is not None
            assert (reported.generation, reported.state) == (hub.desired.generation, ReportState.REFUSED)
            assert "must be in" in reported.reason
            assert agent.memory.applied().generation == 1
        assert agent.models.threshold == 0.9


def test_a_report_that_was_lost_is_made_again(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    hub.set(poll_s=30.0)
    hub.fail["/v1/twin/reported"] = (503, {}, b"")
    with Agent(state) as agent:
        assert "HAL-723" in agent.step()
        del hub.fail["/v1/twin/reported"]
        assert agent.step() == ""
    assert hub.reported(hub.devices()[0].id) is not None


def test_a_certificate_is_renewed_from_half_of_its_life_on_and_the_new_one_is_used(
    hub: DeviceHub, state: Path
) -> None:
    hub.behind_s = 0.7 * DAY_S
    join(hub, state)
    hub.behind_s = 0
    with Agent(state) as agent:
        old = agent.link.validity()
        assert agent.step() == ""
        assert agent.link.validity()[1] > old[1]
        assert agent.models.renewals == 1
    with Agent(state) as again:
        assert again.link.validity()[1] > old[1]
        assert again.step() == ""
        assert again.models.renewals == 0


def test_a_renewal_whose_answer_was_lost_locks_nobody_out(hub: DeviceHub, state: Path) -> None:
    hub.behind_s = 0.7 * DAY_S
    join(hub, state)
    hub.behind_s = 0
    hub.lose.add("/v1/certificate")
    with Agent(state) as agent:
        assert agent.step() == ""
        assert agent.models.renewals == 0
        agent.loop._renew_from_s = 0.0  # as if the pause had passed
        assert agent.step() == ""
        assert agent.models.renewals == 1


@pytest.mark.parametrize("ahead_s", [0.0, -55 * YEAR_S, 10 * YEAR_S])
def test_a_device_that_was_dark_for_long_comes_home_whatever_its_clock_shows(
    hub: DeviceHub, state: Path, ahead_s: float
) -> None:
    hub.behind_s = 10 * DAY_S
    join(hub, state)
    hub.behind_s = 0
    with Agent(state, ahead_s) as agent:
        for _ in range(8):
            if agent.step() == "":
                break
        assert agent.loop.state.error == ""
        assert agent.models.renewals == 1
        assert abs(agent.link.now_s() - time.time()) < 60
    assert len(hub.devices()) == 1


@pytest.mark.parametrize("ahead_s", [-55 * YEAR_S, 10 * YEAR_S])
def test_a_clock_that_jumps_stops_neither_looks_nor_renewals(
    hub: DeviceHub, state: Path, ahead_s: float
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        assert agent.step() == ""
        agent.ahead_s = ahead_s
        hub.set(poll_s=30.0)
        assert agent.step() == ""
        assert agent.step() == ""
    with Agent(state, ahead_s) as again:
        assert again.step() == ""
        assert abs(again.link.now_s() - time.time()) < 400


def test_beyond_the_grace_time_someone_must_accept(hub: DeviceHub, state: Path) -> None:
    hub.behind_s = 90 * DAY_S
    join(hub, state)
    hub.behind_s = 0
    with Agent(state) as agent:
        assert "HAL-727" in agent.step()
        (device,) = hub.devices()
        assert device.code in agent.loop.state.error
        joining.accept(hub.store, device_id=device.id, actor="person:ann", now_s=hub.now_s)
        assert agent.step() == ""


def test_a_revoked_device_stops_asking_often_and_keeps_its_settings(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    with Agent(state) as agent:
        agent.step()
        joining.revoke(hub.store, device_id=hub.devices()[0].id, actor="person:ann", now_s=hub.now_s)
        assert agent.loop.step() > 300
        assert "HAL-714" in agent.loop.state.error
        assert agent.models.renewals == 0


def test_while_the_hub_is_away_a_device_waits_longer_and_longer_and_comes_back(
    hub: DeviceHub, state: Path
) -> None:
    join(hub, state)
    with Agent(state) as agent:
        hub.fail["/v1/twin"] = (503, {}, b"")
        waits = [agent.loop.step() for _ in range(8)]
        assert waits[0] < waits[3] < waits[6] <= 60
        assert agent.loop.state.failures == 8
        hub.fail.clear()
        assert agent.step() == ""
        assert agent.loop.state.failures == 0


def test_the_thread_follows_the_hub_and_stops_within_its_time(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    hub.set(models={"edge": ModelSettings(threshold=0.7)})
    before = threading.active_count()
    with Agent(state) as agent:
        agent.loop.start()
        until(lambda: agent.models.threshold == 0.7)
        until(lambda: agent.loop.state.contact_s is not None)
        began_s = time.monotonic()
        agent.loop.close()
        assert time.monotonic() - began_s < 5
    until(lambda: threading.active_count() <= before + 4)
    assert not [each for each in threading.enumerate() if each.name == "halocline channel"]


def test_a_closed_link_asks_nothing_more(hub: DeviceHub, state: Path) -> None:
    join(hub, state)
    with Agent(state) as agent:
        agent.link.close()
        with pytest.raises(Transient):
            agent.link.desired(None)


def test_after_the_hub_forgot_the_certificates_the_key_brings_the_device_back(
    hub: DeviceHub, state: Path
) -> None:
    """As after a restored backup."""
    join(hub, state)
    with Agent(state) as agent:
        assert agent.step() == ""
        hub.store._tables.certificates.clear()
        assert "HAL-715" in agent.step()
        assert agent.models.renewals == 1
        assert agent.step() == ""
    assert len(hub.devices()) == 1


def test_a_hub_that_does_not_answer_leaves_no_folder(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    hub.join = f"https://localhost:{port}"
    assert main(["agent", "join", hub.invite(), "--state", str(state)]) == TRY_AGAIN
    said = capsys.readouterr().err
    assert f"localhost:{port}" in said
    assert len(said.splitlines()) == 1
    assert not state.exists()


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(
    hub: DeviceHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["agent", "join", hub.invite(), "--state", str(tmp_path / "file" / "dev")]) == WRONG_USE
    assert "HAL-725" in capsys.readouterr().err
    assert not hub.asked


def test_a_damaged_identity_is_told_with_what_to_do(
    hub: DeviceHub, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    join(hub, state)
    for name in ("certificate.pem", "hub.json"):
        kept = (state / "identity" / name).read_bytes()
        (state / "identity" / name).write_bytes(kept[: len(kept) // 2])
        assert main(["agent", "status", "--state", str(state)]) == WRONG_USE
        assert "HAL-725" in capsys.readouterr().err
        (state / "identity" / name).write_bytes(kept)
    (state / "state.db").write_bytes(b"no database at all" * 100)
    assert main(["agent", "status", "--state", str(state)]) == WRONG_USE
    assert "HAL-725" in capsys.readouterr().err
