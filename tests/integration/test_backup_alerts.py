"""A hub knows what became of its backups, which another program makes, and of the disk that it writes to."""

import collections
import stat
import time

import pytest
from commands import output, run
from people_hub import people_hub

from halocline.adapters.backup.manifest import RECORD
from halocline.adapters.backup.record import read_backups
from halocline.assemble_alerts import AlertWatch
from halocline.decide.backups import Backups, backup_failure

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    with people_hub(folder) as hub:
        yield hub


def opened(watch):
    watch.look()
    return {str(alert.kind): alert for alert in watch.open()}


def test_a_backup_that_fails_opens_an_alert_and_a_good_one_ends_the_trouble(hub, tmp_path, capsys):
    state = tmp_path / "hub"
    watch = AlertWatch(hub.store, state, hub.url, None)
    assert "hub.backup" not in opened(watch)
    to = tmp_path / "taken.tar"
    to.write_text("")
    run(capsys, "hub", "backup", "--state", state, "--to", to, code=2)
    alert = opened(watch)["hub.backup"]
    assert "taken.tar is there already" in alert.cause
    run(capsys, "hub", "backup", "--state", state, "--to", to, code=2)
    assert opened(watch)["hub.backup"].since_s == alert.since_s, "it is the same trouble"
    output(capsys, "hub", "backup", "--state", state, "--to", tmp_path / "good.tar")
    assert opened(watch)["hub.backup"].clear_s is not None
    assert stat.S_IMODE((state / RECORD).stat().st_mode) == 0o644, "who makes backups may be another user"


def test_a_hub_without_a_good_backup_for_longer_than_wanted_opens_an_alert(hub, tmp_path, capsys):
    state = tmp_path / "hub"
    strict = AlertWatch(hub.store, state, hub.url, None, backup_every_s=0.001)
    time.sleep(0.01)
    assert "none was ever made" in opened(strict)["hub.backup"].cause
    assert "hub.backup" not in opened(AlertWatch(hub.store, state, hub.url, None, backup_every_s=DAY_S))


def test_a_restored_hub_has_no_record_of_the_old_ones_backups(hub, tmp_path, capsys):
    state = tmp_path / "hub"
    for name in ("one.tar", "two.tar"):
        output(capsys, "hub", "backup", "--state", state, "--to", tmp_path / name)
    output(capsys, "hub", "restore", "--state", tmp_path / "new", "--from", tmp_path / "two.tar")
    assert read_backups(state).made_s is not None
    assert read_backups(tmp_path / "new") == Backups()


def test_a_damaged_record_is_none_and_a_folder_that_is_no_hubs_gets_none(hub, tmp_path, capsys):
    (tmp_path / "hub" / RECORD).write_text("{")
    assert read_backups(tmp_path / "hub") == Backups()
    (tmp_path / "empty").mkdir()
    run(capsys, "hub", "backup", "--state", tmp_path / "empty", "--to", tmp_path / "x.tar", code=2)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_disk_that_is_nearly_full_opens_an_alert(hub, tmp_path, monkeypatch):
    watch = AlertWatch(hub.store, tmp_path / "hub", hub.url, None)
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100 << 30, 99 << 30, 1 << 30))
    assert "1,024 MiB of 102,400 MiB are free" in opened(watch)["hub.disk"].cause


@pytest.mark.parametrize(
    ("backups", "every_s", "since_s"),
    [
        (Backups(), None, None),
        (Backups(), DAY_S, DAY_S),
        (Backups(made_s=DAY_S), DAY_S, 2 * DAY_S),
        (Backups(made_s=3 * DAY_S), DAY_S, None),
        (Backups(made_s=3 * DAY_S, failed_s=3.1 * DAY_S, cause="full"), None, 3.1 * DAY_S),
        (Backups(made_s=3 * DAY_S, failed_s=3.1 * DAY_S, cause="full"), DAY_S, 3.1 * DAY_S),
    ],
)
def test_backups_have_failed_since_they_were_due_or_first_went_wrong(backups, every_s, since_s):
    found = backup_failure(backups, begun_s=0.0, every_s=every_s, now_s=3.5 * DAY_S)
    assert (None if found is None else found.since_s) == since_s


def test_how_old_is_said_in_hours():
    found = backup_failure(Backups(made_s=0.0), begun_s=0.0, every_s=DAY_S, now_s=26.5 * HOUR_S)
    assert found.cause == "the last good one is 26.5 h old, and one each 24 h is wanted"
