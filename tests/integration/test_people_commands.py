"""What a person at a terminal can do with people and tokens, against a real door over TLS."""

import json
import stat

import pytest
from doors import authority, listening
from people_hub import people_hub
from terminal import Terminal

from halocline.cli import NOT_TRUSTED, TRY_AGAIN, WRONG_USE


@pytest.fixture
def config(tmp_path, monkeypatch):
    folder = tmp_path / "config"
    monkeypatch.setenv("HALOCLINE_CONFIG", str(folder))
    return folder


@pytest.fixture
def hub(tmp_path, config):
    with people_hub(tmp_path) as hub:
        yield hub


@pytest.fixture
def says(capsys):
    return Terminal(capsys).says


@pytest.fixture
def fails(capsys):
    return Terminal(capsys).fails


def login(hub, token: str | None = None, *more: str) -> list[str]:
    return ["login", hub.url, "--ca", str(hub.ca), "--token", token or f"file:{hub.token}", *more]


def test_an_admin_signs_in_lets_others_in_and_sends_them_away(hub, says, fails, monkeypatch, config):
    assert "as admin (admin)" in says(*login(hub))
    assert json.loads(says("whoami", "--json"))["name"] == "admin"
    says("user", "add", "anna", "--role", "operator", "--reason", "new here")
    monkeypatch.setenv("ANNA", says("token", "create", "--user", "anna", "--ttl", "1h"))
    says(*login(hub, "env:ANNA", "--name", "as-anna"))
    assert json.loads(says("whoami", "--json"))["role"] == "operator"
    assert "admin; anna is operator" in fails(NOT_TRUSTED, "user", "list")
    admin = ["--hub", "localhost"]
    names = [each["name"] for each in json.loads(says("user", "list", "--json", *admin))["people"]]
    assert names == ["admin", "anna"]
    says("user", "remove", "anna", *admin)
    assert "HAL-751" in fails(NOT_TRUSTED, "whoami")
    assert "HAL-753" in fails(WRONG_USE, "user", "remove", "anna", *admin)


def test_tokens_are_listed_and_ended_by_their_digests(hub, says, fails, monkeypatch):
    says(*login(hub))
    made = json.loads(says("token", "create", "--ttl", "10m", "--json"))
    listed = json.loads(says("token", "list", "--json"))["tokens"]
    assert listed[0]["digest"] == made["digest"]
    assert made["token"] not in json.dumps(listed)
    monkeypatch.setenv("SHORT", made["token"])
    says(*login(hub, "env:SHORT", "--name", "short"))
    assert "HAL-101" in fails(WRONG_USE, "token", "create", "--ttl", "9999d")
    says("token", "revoke", made["digest"][:20])
    assert "HAL-751" in fails(NOT_TRUSTED, "whoami")


def test_a_hub_is_trusted_by_its_fingerprint_as_by_its_file(hub, says, config):
    said = says("login", hub.url, "--fingerprint", hub.fingerprint, "--token", f"file:{hub.token}")
    assert hub.url in said
    says("whoami")


def test_what_login_keeps_is_for_nobody_else_to_read(hub, says, fails, config):
    says(*login(hub))
    (kept,) = config.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.chmod(0o644)
    assert "chmod 600" in fails(WRONG_USE, "whoami")


def test_a_login_that_fails_changes_nothing(hub, says, fails, config, tmp_path, monkeypatch):
    says(*login(hub))
    kept = (config / "hubs.json").read_bytes()
    monkeypatch.setenv("WRONG", "hct_" + "A" * 43)
    assert "HAL-751" in fails(NOT_TRUSTED, *login(hub, "env:WRONG"))
    other = "sha256:" + "0" * 64
    wrong = ["login", hub.url, "--fingerprint", other, "--token", f"file:{hub.token}"]
    assert "HAL-722" in fails(NOT_TRUSTED, *wrong)
    assert "HAL-721" in fails(TRY_AGAIN, "login", "https://localhost:1", *login(hub)[2:])
    assert "HAL-104" in fails(WRONG_USE, "login", "http://localhost:8444", *login(hub)[2:])
    assert "begins with hct_" in fails(WRONG_USE, *login(hub, f"file:{hub.ca}"))
    assert "--ca" in fails(NOT_TRUSTED, "login", hub.url, "--token", f"file:{hub.token}")
    assert "HAL-105" in fails(WRONG_USE, *login(hub, "hct_secret_on_the_command_line"))
    assert "HAL-108" in fails(WRONG_USE, "login", hub.url, "--ca", "absent.pem", *login(hub)[4:])
    assert (config / "hubs.json").read_bytes() == kept


def test_another_door_of_the_hub_is_told_from_the_peoples(config, fails, tmp_path):
    mine = authority(tmp_path)
    (tmp_path / "token").write_text("hct_" + "A" * 43)
    (tmp_path / "ca.pem").write_bytes(mine.root)
    asked = ["--ca", str(tmp_path / "ca.pem"), "--token", f"file:{tmp_path / 'token'}"]
    with listening(mine, client_ca=mine.root) as devices:
        assert "8444" in fails(NOT_TRUSTED, "login", devices.url, *asked)
    nothing = b'{"error": "nothing at /v1/me", "code": "HAL-741"}'
    with listening(mine, lambda *_: (404, {}, nothing)) as joining:
        assert "8444" in fails(WRONG_USE, "login", joining.url, *asked)
    with listening(mine, lambda *_: (200, {}, b"<html>")) as page:
        assert "HAL-721" in fails(TRY_AGAIN, "login", page.url, *asked)
    assert not config.exists()


def test_the_hub_that_is_meant_is_named_by_flag_then_variable_then_the_last_login(
    hub, says, fails, monkeypatch, tmp_path
):
    (tmp_path / "second").mkdir()
    with people_hub(tmp_path / "second") as second:
        says(*login(hub, None, "--name", "one"))
        says(*login(second, None, "--name", "two"))

        def asked(*flags):
            return json.loads(says("whoami", "--json", *flags))["url"]

        assert asked() == second.url
        monkeypatch.setenv("HALOCLINE_HUB", "one")
        assert asked() == hub.url
        assert asked("--hub", "two") == second.url
        assert asked("--hub", second.url) == second.url
        assert "one, two" in fails(WRONG_USE, "whoami", "--hub", "three")
    assert "HAL-721" in fails(TRY_AGAIN, "whoami", "--hub", "two")


def test_without_a_login_the_way_in_is_named(config, fails):
    assert "halocline login https://" in fails(WRONG_USE, "device", "list")


def test_a_damaged_file_of_hubs_is_named(config, fails):
    config.mkdir()
    file = config / "hubs.json"
    file.touch(mode=0o600)
    file.write_text('{"hubs": 3}')
    assert "damaged" in fails(WRONG_USE, "whoami")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["device", "show", "../../v1/people"], "dev-"),
        (["device", "label", "dev-abcdefghij234567"], "nothing to change"),
        (["device", "label", "dev-abcdefghij234567", "type"], "KEY=VALUE"),
        (["device", "label", "dev-abcdefghij234567", "ty/pe=cam"], "'ty/pe'"),
        (["device", "set", "dev-abcdefghij234567", "--model", "m", "--threshold", "80"], "mean 0.8"),
        (["device", "set", "dev-abcdefghij234567", "--threshold", "0.8"], "--model"),
        (["device", "set", "dev-abcdefghij234567"], "nothing to change"),
        (["device", "invite", "--ttl", "60"], "60s?"),
        (["device", "invite", "--label", "a=b", "--label", "a=c"], "twice"),
        (["device", "invite", "--serials", "absent.csv"], "absent.csv"),
        (["device", "list", "--silent", "soon"], "'soon'"),
        (["device", "wait", "--count", "0"], "--count"),
        (["user", "add", "a b", "--role", "viewer"], "person"),
        (["token", "revoke", "hct_secret"], "digest"),
    ],
)
def test_what_is_written_wrongly_is_said_before_any_hub_is_asked(config, fails, words, said):
    assert said in fails(WRONG_USE, *words)


def test_a_secret_is_never_said_back(config, fails):
    assert "hct_secret" not in fails(WRONG_USE, "token", "revoke", "hct_secret")
    words = ["login", "https://localhost:8444", "--token", "hct_secret"]
    assert "hct_secret" not in fails(WRONG_USE, *words)
