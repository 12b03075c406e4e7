"""A support bundle tells who helps what they need, says what is in it, and never holds a secret."""

import io
import json
import re
import shutil
import stat
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from commands import output, run
from hub_process import HubProcess, hub_process

from halocline.adapters.certificates.request import make_key
from halocline.cli import WRONG_USE, main
from halocline.cli.support import Part
from halocline.cli.support.redact import Redactor
from halocline.cli.support.writing import freed
from halocline.errors import Misconfigured

INVITES = []
PLANTED = {
    "HALOCLINE_CLOUD_TOKEN": "planted-cloud-token",
    "HALOCLINE_ALERT_SECRET": "planted alert secret",
    "MY_WEBHOOK_URL": "https://hooks.example/services/planted-hook",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+key",
    "HTTPS_PROXY": f"http://fleet:{quote('planted:p@ss')}@127.0.0.1:1",
    "HALOCLINE_DATABASE_URL": "postgresql://hub:planted-db-pw@db/halo",
}
PASSWORDS = ("planted:p@ss", quote("planted:p@ss"), "planted-db-pw", "planted-hook")
LOCAL = "b7Xq2mPl4nAr9tEd-Tok3nOf_aL0calDoor5Wxyz012"
"""As an agent makes it; a bundle of the hub does not know that device's folder."""
KEY = make_key().decode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_process(tmp_path_factory.mktemp("support") / "hub") as hub:
        yield hub


@pytest.fixture(scope="module")
def device(hub: HubProcess, tmp_path_factory) -> Path:
    state = tmp_path_factory.mktemp("device") / "dev"
    INVITES.append(hub.as_admin("POST", "/v1/invites", {}).said["invite"])
    assert main(["agent", "join", INVITES[0], "--state", str(state)]) == 0
    (state / "local.token").write_text(LOCAL)
    return state


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hub: HubProcess) -> Path:
    """A log in which each secret turns up, while the environment holds them."""
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    token = (hub.state / "admin.token").read_text().strip()
    passphrase = (hub.state / "ca" / "passphrase").read_text().strip()
    seen = [*PLANTED.values(), *PASSWORDS, *INVITES, token, passphrase]
    lines = [*(f"seen {value}" for value in seen), "GET https://ann:planted-url-pw@cloud.example"]
    lines += [f"local {LOCAL}", KEY, "WARNING halocline.channel: [HAL-721]"]
    log = tmp_path / "agent.log"
    log.write_text("\n".join(lines) + "\n")
    return log


def secrets(*folders: Path) -> set[str]:
    """Each secret as it may be seen, those in the folders line by line."""
    found = {"planted-url-pw", *PLANTED.values(), *PASSWORDS, *INVITES, LOCAL}
    texts = [KEY]
    for folder in folders:
        for form in ("*.key", "key.pem", "*.token", "passphrase"):
            texts += [path.read_text() for path in folder.rglob(form)]
    found |= {line for text in texts for line in text.split("\n") if line and "-----" not in line}
    return found


def members(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle.read_bytes())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def assert_holds_none(bundle: Path, found: set[str]) -> dict[str, bytes]:
    assert len(found) > 10
    files = members(bundle)
    for secret in found:
        for name, data in [("the file", bundle.read_bytes()), *files.items()]:
            assert secret.encode() not in data, (name, secret)
            assert secret not in name
    return files


def test_a_devices_bundle_tells_what_helps_and_holds_no_secret(
    device: Path, hub: HubProcess, planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, bundle = tmp_path / "edge.toml", tmp_path / "out.zip"
    config.write_text(
        '[model.edge]\nedge = "edge.onnx"\ncloud = "https://ann:planted-url-pw@cloud.example/v2/models/m"\n'
    )
    with planted.open("a") as log:
        print("seen planted-url-pw", file=log)  # known by the configuration
    words = ["--state", device, "--config", config, "--log", planted, "--out", bundle]
    said = output(capsys, "support", "bundle", *words)
    files = assert_holds_none(bundle, secrets(device, hub.state))
    for name in files:
        assert name in said or name == "contents.txt"
    assert "what is left out:" in said
    assert files["contents.txt"].decode() in said
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    told = {name: json.loads(data) for name, data in files.items() if name.endswith(".json")}
    name = json.loads((device / "identity" / "hub.json").read_text())["device"]
    assert told["device/status.json"]["device"] == name
    assert told["device/status.json"]["hub"] == hub.device
    assert told["device/twin.json"]["applied"]["generation"] == 0
    assert told["device/configuration.json"]["model.edge.leaves"]["from"] == "default"
    assert told["device/certificates.json"]["certificate.pem"][0]["names"] == [f"urn:halocline:device:{name}"]
    assert "identity/key.pem" in {each["path"] for each in told["device/files.json"]["files"]}
    assert told["versions.json"]["packages"]["numpy"]
    assert {"device door", "clock"} <= {each["name"] for each in told["doctor.json"]["checks"]}
    assert b"[HAL-721]" in files["logs/1-agent.log"]


def test_a_hubs_bundle_is_known_by_its_folder_and_holds_no_secret(
    hub: HubProcess, device: Path, planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "out.zip"
    words = ["--state", hub.state, "--log", planted, "--out", bundle, "--json"]
    said = json.loads(output(capsys, "support", "bundle", *words))
    files = assert_holds_none(bundle, secrets(device, hub.state))
    assert set(said["files"]) == set(files) - {"contents.txt"}
    assert said["redacted"] > 10
    told = {name: json.loads(data) for name, data in files.items() if name.endswith(".json")}
    assert told["hub/status.json"]["running"] is True
    assert told["hub/status.json"]["devices"] == {"enrolled": 1}
    assert told["hub/alerts.json"] == {"alerts": []}
    assert told["hub/database.json"]["schema"] == told["hub/database.json"]["newest_schema"]
    assert told["hub/database.json"]["rows"]["devices"] == 1
    assert told["hub/database.json"]["sizes_bytes"]["hub.db"] > 0
    assert "localhost" in told["hub/certificates.json"]["doors"][0]["names"]
    assert "hub database" in {each["name"] for each in told["doctor.json"]["checks"]}


def test_the_example_of_its_help_works_and_changes_nothing_at_the_hub(
    hub: HubProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = re.search(r"Example: halocline (.+)", output(capsys, "support", "bundle", "--help"))
    assert example is not None
    state = tmp_path / "hub"
    shutil.copytree(hub.state, state)
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    output(capsys, *example[1].split())
    assert (tmp_path / "support.zip").is_file()
    after = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    changed = {path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed <= {"hub.db", "hub.db-wal", "hub.db-shm"}, "SQLite tidies its own log at most"


def test_the_machine_alone_is_looked_at_where_there_is_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HALOCLINE_STATE", str(tmp_path / "none"))
    said = output(capsys, "support", "bundle", "--out", tmp_path / "out.zip")
    assert "a device or a hub: none is here" in said
    assert "log lines: no --log was given" in said
    assert set(members(tmp_path / "out.zip")) == {
        "contents.txt", "versions.json", "environment.json", "doctor.json"
    }  # fmt: skip


def test_what_cannot_be_used_is_told_and_nothing_is_written(
    tmp_path: Path, device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zip"
    for code, words in (
        ("HAL-797", ["--state", tmp_path, "--out", out]),
        ("HAL-798", ["--state", device, "--log", tmp_path / "none.log", "--out", out]),
        ("HAL-796", ["--state", device, "--out", tmp_path / "none" / "out.zip"]),
        ("HAL-796", ["--state", device, "--out", device]),
    ):
        assert code in run(capsys, "support", "bundle", *words, code=WRONG_USE).err
    assert not out.exists()


def test_a_secret_that_is_left_stops_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look is one of its own: here what takes secrets out does nothing."""
    redactor = Redactor(["planted-secret"])
    monkeypatch.setattr(redactor, "text", lambda text: text)
    with pytest.raises(Misconfigured) as caught:
        freed([Part(name="a.log", about="", content="planted-secret")], redactor)
    assert caught.value.code == "HAL-795"
    assert "planted" not in str(caught.value)
