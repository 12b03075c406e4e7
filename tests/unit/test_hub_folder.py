"""A hub's folder belongs to one process at a time, and its files are nobody else's."""

import stat

import pytest

from halocline.adapters.hub_folder import held
from halocline.errors import Misconfigured
from halocline.whole_files import PUBLIC


def test_a_second_hub_on_the_same_folder_is_refused_and_may_come_later(tmp_path):
    with held(tmp_path / "hub", alone=True):
        with pytest.raises(Misconfigured) as caught, held(tmp_path / "hub", alone=True):
            pass
        assert caught.value.code == "HAL-744"
    with held(tmp_path / "hub", alone=True):
        pass


def test_processes_that_share_a_database_share_the_folder(tmp_path):
    with held(tmp_path / "hub", alone=False), held(tmp_path / "hub", alone=False):
        with pytest.raises(Misconfigured), held(tmp_path / "hub", alone=True):
            pass


def test_files_are_whole_and_nobody_elses(tmp_path):
    with held(tmp_path / "hub", alone=True) as folder:
        folder.write(folder.admin_token, b"one")
        folder.write(folder.admin_token, b"two")
        folder.write(folder.ca, b"ca", PUBLIC)
        assert folder.admin_token.read_bytes() == b"two"
        assert stat.S_IMODE(folder.admin_token.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert {path.name for path in folder.path.iterdir()} == {"lock", "admin.token", "ca.pem"}


def test_a_folder_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured) as caught, held(tmp_path / "file" / "hub", alone=True):
        pass
    assert caught.value.code == "HAL-745"
    assert "--state" in caught.value.message or "Give a folder" in caught.value.message
