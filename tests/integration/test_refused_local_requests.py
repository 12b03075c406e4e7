"""What an agent's endpoint turned away is counted, told once a minute, and shown by `agent status`."""

import http.client
import json
import subprocess
import sys
import time

import pytest
from commands import output
from device_hub import DeviceHub
from servers import identity

from halocline.adapters.device_folder.refused import FILE, RefusedRequests, read_refused

CONFIG = """
[agent]
listen = "127.0.0.1:0"
[model.edge]
edge = "{edge}"
scores = "probabilities"
leaves = "nothing"
"""


@pytest.fixture
def joined(tmp_path, capsys):
    """The state folder of a device that has joined; its hub is away by now."""
    (tmp_path / "hub").mkdir()
    state = tmp_path / "state"
    with DeviceHub(tmp_path / "hub").open() as hub:
        output(capsys, "agent", "join", hub.invite(), "--state", state)
    return state


def test_rebound_names_and_web_pages_are_counted_in_the_status(joined, tmp_path, capsys):
    config = tmp_path / "edge.toml"
    config.write_text(CONFIG.format(edge=identity(tmp_path, "FP32")))
    words = ["agent", "run", "--state", str(joined), "--config", str(config), "--json"]
    log = tmp_path / "agent.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "halocline", *words], stdout=subprocess.PIPE, stderr=stderr
        ) as agent,
    ):
        try:
            address = json.loads(agent.stdout.readline())["url"].removeprefix("http://")
            for headers in (
                {"Host": f"evil.example:{address.rpartition(':')[2]}"},
                {"Origin": "https://evil.example"},
                {"Origin": "https://evil.example"},
                {},
            ):
                connection = http.client.HTTPConnection(address, timeout=30)
                connection.request("POST", "/v2/models/edge/infer", b"{}", headers)
                assert connection.getresponse().status in (401, 403)
                connection.close()
            until_s = time.monotonic() + 10
            while read_refused(joined) is None:
                assert time.monotonic() < until_s
                time.sleep(0.02)
        finally:
            agent.terminate()
            assert agent.wait(60) == 0
    told = json.loads(output(capsys, "agent", "status", "--state", joined, "--json"))["refused"]
    assert told["counts"] == {"other_host": 1, "web_page": 2, "no_token": 1}
    assert told["since_s"] <= told["last_s"] <= time.time()
    said = output(capsys, "agent", "status", "--state", joined)
    assert "1 under another host's name, 2 from web pages, 1 without the token" in said
    assert log.read_text().count("refused a local request") == 1, "once a minute, however many come"


def test_counts_go_on_after_a_restart_and_damage_costs_only_the_counts(tmp_path):
    for _ in range(2):
        agent = RefusedRequests(tmp_path)
        agent.note("web_page", "it said so")
        agent.save()
    assert read_refused(tmp_path).counts == {"web_page": 2}
    (tmp_path / FILE).write_text("{")
    assert read_refused(tmp_path) is None
    agent = RefusedRequests(tmp_path)
    agent.note("no_token", "it said so")
    agent.save()
    assert read_refused(tmp_path).counts == {"no_token": 1}
