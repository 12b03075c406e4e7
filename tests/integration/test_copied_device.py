"""A device's folder that was copied is noticed while both run, long before a certificate is renewed."""

import json
import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import output, run
from hub_process import hub_process

from halocline.adapters.device_folder.folder import held
from halocline.adapters.http.hub_link import HubLink


def test_two_agents_from_one_folder_are_a_clone_when_they_take_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    original, copy = tmp_path / "device", tmp_path / "copy"
    with hub_process(tmp_path / "hub") as hub, ExitStack() as open_now:
        token = f"file:{tmp_path / 'hub' / 'admin.token'}"
        run(capsys, "login", hub.people, "--ca", hub.told["ca"], "--token", token)
        invited = re.findall(r"hc1\.\S+", output(capsys, "device", "invite"))[0]
        device = json.loads(output(capsys, "agent", "join", invited, "--state", original, "--json"))["device"]
        shutil.copytree(original, copy)
        links = []
        for state in (original, copy):
            folder = open_now.enter_context(held(state))
            folder.memory.count_boot()
            links.append(HubLink(folder, timeout_s=20))
            open_now.callback(links[-1].close)

        def cloned() -> object:
            return json.loads(output(capsys, "device", "show", device, "--json"))["device"]["cloned_s"]

        for link in links:  # the same boot counter in both; one after the other may be a restart
            link.desired(None)
        assert cloned() is None
        links[0].desired(None)
        assert cloned() is not None
