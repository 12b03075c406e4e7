"""The demo keeps its promises, notices when they are broken, and leaves nothing running."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from made_sets import write_ecg

from halocline.cli import WRONG_USE, main

COMMAND = [sys.executable, "-m", "halocline", "demo"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return os.environ | {"HALOCLINE_CACHE": str(tmp_path_factory.mktemp("cache")), "TERM": "xterm"}


@contextmanager
def started(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finished(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    stdout, stderr = process.communicate(timeout=115)
    return process.returncode, json.loads(stdout), stderr


def broken(card: dict[str, Any]) -> set[str]:
    return {verdict["name"] for verdict in card["verdicts"] if not verdict["passed"]}


@pytest.fixture(scope="module")
def run(environment: dict[str, str]) -> tuple[int, dict[str, Any], str]:
    """One undisturbed run: exit code, scorecard, stderr."""
    with started(environment, "--fast", "--json") as process:
        return finished(process)


def test_the_demo_keeps_every_promise_and_prints_one_json_object(
    run: tuple[int, dict[str, Any], str],
) -> None:
    code, card, stderr = run
    assert code == 0, stderr
    assert broken(card) == set()
    assert (card["version"], card["seed"], card["passed"]) == (1, 0, True)
    assert (card["lost"], card["duplicated"], card["late"]) == (0, 0, 0)
    assert card["requests"] == card["answered"] == sum(phase["requests"] for phase in card["phases"])
    for phase in card["phases"]:
        assert phase["answered"] == phase["requests"] == sum(phase["reasons"].values())
    assert card["degraded"] > 0
    assert card["corrections"] > 0
    assert 0 < card["edge_share"] < 1
    for tier in ("edge", "cloud", "degraded"):
        assert 0 < card["latency_s"][tier]["p50"] <= card["latency_s"][tier]["p99"]
    assert card["latency_s"]["degraded"]["p99"] < card["deadline_s"] + 0.1


def test_three_devices_come_by_mutual_tls_1_3(run: tuple[int, dict[str, Any], str]) -> None:
    _, card, _ = run
    assert (card["devices"], card["tls"]) == (3, "mutual, 1.3")
    assert 0 < card["enrolled_s"] < 60
    assert len(set(card["pids"].values())) == len(card["pids"]) == 6
    assert card["pids"].keys() == {"callers", "cloud", "hub", "agent_1", "agent_2", "agent_3"}


def test_tiering_is_as_right_as_the_cloud_and_far_cheaper(run: tuple[int, dict[str, Any], str]) -> None:
    _, card, _ = run
    assert [phase["requests"] for phase in card["phases"]][:2] == [1_797, 1_797]
    assert card["accuracy"]["tiered"] >= card["accuracy"]["cloud"] - 0.003
    assert card["accuracy"]["edge"] < card["accuracy"]["cloud"]
    assert card["cloud_calls_saved"] >= 0.70
    assert 0 < card["bytes_up"] < card["bytes_up_cloud_only"]
    assert 0 < card["cost_usd"]["tiered"] < card["cost_usd"]["cloud_only"]


def test_each_phase_shows_what_it_is_there_to_show(run: tuple[int, dict[str, Any], str]) -> None:
    _, card, _ = run
    phases = {phase["name"]: phase for phase in card["phases"]}
    reasons = {name: set(phase["reasons"]) for name, phase in phases.items()}
    assert list(phases) == ["cloud_only", "normal", "silent", "refusing", "slow_link", "back"]
    assert reasons["cloud_only"] == {"mode"}
    assert {"confident", "escalated"} <= reasons["normal"]
    assert {"deadline", "breaker_open"} <= reasons["silent"]
    assert {"refused", "breaker_open"} <= reasons["refusing"]
    assert "escalated" in reasons["slow_link"]
    assert "escalated" in reasons["back"]
    assert phases["slow_link"]["latency_s"]["p99"] > 0.1


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ecg(tmp_path_factory.mktemp("made") / "ecg")


def test_a_real_set_is_streamed_through_the_same_phases_and_sabotage_turns_the_observer_red(
    environment: dict[str, str], beats: Path, run: tuple[int, dict[str, Any], str]
) -> None:
    words = ("--dataset", "ecg", "--from", str(beats), "--fast", "--json", "--sabotage", "duplicate")
    with started(environment, *words) as process:
        code, card, stderr = finished(process)
    assert (code, card["passed"], card["sabotage"]) == (1, False, "duplicate")
    # So few made rows say nothing about accuracy and shares; that nothing is lost holds for any rows.
    by_chance = {"as good as the cloud", "saves cloud calls"}
    assert {"nothing twice"} <= broken(card) <= {"nothing twice", *by_chance}, stderr
    assert card["dataset"] == "ecg"
    assert card.keys() == run[1].keys()
    assert [phase["name"] for phase in card["phases"]] == [phase["name"] for phase in run[1]["phases"]]
    requests = {phase["name"]: phase["requests"] for phase in card["phases"]}
    assert requests["cloud_only"] == requests["normal"] > 400
    assert card["degraded"] > 0
    assert 0 < card["accuracy"]["edge"] < 1


def test_a_set_that_is_not_there_is_one_line_with_the_fix(
    beats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        ("--dataset", "ecg"): ("HAL-304", "--dataset ecg --from DIR"),
        ("--dataset", "ecg", "--from", str(tmp_path / "nowhere")): ("HAL-304", "nowhere is not a folder"),
        ("--dataset", "fashion-mnist", "--from", str(beats)): ("HAL-304", "train_images.npy.xz"),
        ("--from", str(beats)): ("HAL-102", "leave --from out"),
    }
    for arguments, (code, fix) in wrong.items():
        assert main(["demo", *arguments]) == WRONG_USE
        said = capsys.readouterr()
        assert code in said.err
        assert fix in said.err.replace("\n", " ")
        assert said.out == ""


HUB, AGENTS = 2, 5
"""So many programs there are once these have been started."""


def programs(demo: int, least: int) -> list[psutil.Process]:
    """The demo's programs, as soon as there are so many."""
    until_s = time.monotonic() + 60
    while len(found := psutil.Process(demo).children(recursive=True)) < least:
        assert is_alive(psutil.Process(demo)), "the demo ended"
        assert time.monotonic() < until_s, f"only {found} run"
        time.sleep(0.02)
    return found


@pytest.fixture
def leaving(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demo, and the folder for all that it might leave behind."""
    folder = tmp_path_factory.mktemp("t")
    with started(environment | {"TMPDIR": str(folder)}, "--json") as process:
        yield process, folder


@pytest.mark.parametrize(
    ("to_the_whole_group", "when"), [(True, AGENTS), (False, HUB)], ids=["Ctrl-C", "SIGTERM during the start"]
)
def test_an_interrupt_leaves_no_process_and_no_folder_behind(
    leaving: tuple[subprocess.Popen[str], Path], to_the_whole_group: bool, when: int
) -> None:
    process, folder = leaving
    running = programs(process.pid, when)
    if when == AGENTS:
        assert process.stderr is not None
        assert any(re.search(r"cloud models: +process \d+", line) for line in process.stderr)
        running = programs(process.pid, when)
    if to_the_whole_group:  # what a terminal does
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=40)
    assert process.returncode == (130 if to_the_whole_group else 143)
    assert stdout == ""
    assert "Traceback" not in stderr
    assert not any(is_alive(program) for program in running)
    assert list(folder.iterdir()) == []


def test_a_demo_that_is_killed_takes_its_programs_and_its_folder_along(
    leaving: tuple[subprocess.Popen[str], Path],
) -> None:
    process, folder = leaving
    running = programs(process.pid, AGENTS)
    assert [folder for folder in folder.iterdir() if folder.name.startswith("halocline-demo-")]
    process.kill()
    process.communicate(timeout=40)
    nothing_stays(running, folder)


def test_a_terminal_that_is_closed_takes_the_programs_and_the_folder_along(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("t")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(COMMAND[0], [*COMMAND, "--json"], environment | {"TMPDIR": str(folder)})
    try:
        running = programs(pid, HUB)
    finally:
        os.close(terminal)  # SIGHUP goes to all of them
    nothing_stays([psutil.Process(pid), *running], folder)
    os.waitpid(pid, 0)


def nothing_stays(running: list[psutil.Process], folder: Path) -> None:
    until_s = time.monotonic() + 20
    while any(is_alive(program) for program in running) or list(folder.iterdir()):
        assert time.monotonic() < until_s, f"{running} or {list(folder.iterdir())} outlive the demo"
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs: whoever inherits a process that has ended may never ask for its exit code."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_wrong_use_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "prices.toml"
    wrong.write_text("[link]\nusd_per_mb = 'cheap'\n")
    for arguments, code in ((["--interactive"], "HAL-109"), (["--prices", str(wrong)], "HAL-304")):
        assert main(["demo", *arguments]) == WRONG_USE
        assert code in capsys.readouterr().err


def test_the_viewer_can_break_it_and_every_answer_still_comes(environment: dict[str, str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(COMMAND[0], [*COMMAND, "--interactive"], environment | {"COLUMNS": "100"})
    shown = ""

    def see(what: str, timeout_s: float = 60.0) -> None:
        nonlocal shown
        until_s = time.monotonic() + timeout_s
        seen = ""
        while not re.search(what, seen):
            assert time.monotonic() < until_s, f"{what} is not in: {seen[-2000:]}"
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65_536).decode(errors="replace")
                except OSError:
                    break
        shown += seen

    try:
        see(r"q ends")
        os.write(terminal, b"c")
        see(r"breaker_open [1-9]")
        os.write(terminal, b"c")
        see(r"corrected later +.*[1-9]")
        os.write(terminal, b"k")
        see("killed")
        os.write(terminal, b"k")
        see(r"cloud +.*process \d+")
        os.write(terminal, b"q")
        see("answered in every phase: all of them")
        _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGTERM)
        raise
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "BROKEN" not in shown
