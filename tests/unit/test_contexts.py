"""The hubs that a user signed in to are kept whole, by name, for nobody else to read."""

import os
import stat

import pytest

from halocline.adapters.contexts import Context, choose, contexts_file, keep, name_for
from halocline.errors import Misconfigured


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))


def context(port: int = 8444) -> Context:
    return Context(url=f"https://localhost:{port}", token="hct_x", ca="PEM")


def test_what_was_kept_last_is_used_and_the_others_stay():
    keep("one", context())
    keep("two", context(9444))
    assert choose(None) == ("two", context(9444))
    assert choose("one") == ("one", context())
    keep("one", context(1))
    assert choose(None) == ("one", context(1))


def test_a_second_hub_on_the_same_host_gets_a_name_of_its_own():
    assert name_for("https://localhost:8444") == "localhost"
    keep("localhost", context())
    assert name_for("https://localhost:8444") == "localhost"
    assert name_for("https://localhost:9444") == "localhost-9444"
    assert name_for("https://[::1]:8444") == "hub"


def test_a_file_that_was_never_whole_is_never_seen(monkeypatch):
    keep("one", context())

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Misconfigured, match=r"No space.*HAL-756"):
        keep("two", context(1))
    assert choose(None) == ("one", context())
    assert [path.name for path in contexts_file().parent.iterdir()] == ["hubs.json"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_others_may_not_read_it_whatever_the_umask():
    before = os.umask(0)
    try:
        keep("one", context())
    finally:
        os.umask(before)
    assert stat.S_IMODE(contexts_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(contexts_file().parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "file"))
    with pytest.raises(Misconfigured, match="HAL-756"):
        keep("one", context())
