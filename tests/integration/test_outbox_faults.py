"""A full disk and a damaged file: the outbox goes on, keeps the dearest, and says what it lost."""

import contextlib
import logging
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from halocline import Outbox
from halocline.adapters.outbox import database, opening
from halocline.adapters.sealing import new_pair
from halocline.errors import Misconfigured, Transient

PUBLIC = new_pair()[1]
DISK_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "outbox-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here: this needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    with contextlib.suppress(OSError):
        while True:
            os.write(file, bytes(4096))
    os.close(file)


def urgent(outbox: Outbox) -> int:
    """How many of priority 0 wait."""
    return sum(piece.record.priority == 0 for piece in outbox.take(100_000, 1 << 40))


def test_on_a_full_disk_the_least_worth_goes_and_priority_0_stays(small_disk):
    folder = small_disk / "outbox"
    with Outbox(folder, hub_key=PUBLIC, cap_bytes=6 << 20) as outbox:
        for _ in range(50):
            outbox.put(bytes(4000), kind="alert", priority=0)
        for at in range(1500):
            if at == 500:
                fill(small_disk / "other")
            outbox.put(bytes(4000), kind="sample", priority=2, value=at / 1500)
        outbox.put(bytes(4000), kind="alert", priority=0)
        ledger = outbox.ledger()
        assert ledger.accepted == 1551
        assert ledger.evicted["disk_full"] > 1000
        assert ledger.closes
        assert urgent(outbox) == 51
        (small_disk / "other").unlink()
        time.sleep(1.0)  # so often it looks whether its spare space can be had again
        outbox.put(bytes(4000), kind="sample", value=1.0)
        evicted = outbox.ledger().evicted
        for _ in range(100):
            outbox.put(bytes(4000), kind="sample")
        assert outbox.ledger().evicted == evicted, "with space again nothing more goes"
        outbox.acknowledge([piece.record.id for piece in outbox.take(10_000, 1 << 30)])
        assert outbox.ledger().queued == 0
    with Outbox(folder, hub_key=PUBLIC) as outbox:
        assert outbox.ledger().closes
        assert outbox.ledger().damaged == 0


def test_on_a_disk_full_of_urgent_records_who_puts_a_lesser_one_is_told(small_disk):
    with Outbox(small_disk / "outbox", cap_bytes=6 << 20) as outbox:
        for at in range(1000):
            if at == 500:
                fill(small_disk / "other")
            outbox.put(bytes(4000), kind="alert", priority=0, value=1.0)
        assert outbox.ledger().evicted
        waiting = outbox.ledger().queued
        for _ in range(200):
            with pytest.raises(Transient, match=r"disk is full.*HAL-814"):
                outbox.put(bytes(4000), kind="sample", priority=3)
        assert urgent(outbox) == waiting
        assert outbox.ledger().closes
        outbox.acknowledge([piece.record.id for piece in outbox.take(100, 1 << 30)])
        outbox.put(bytes(4000), kind="sample", priority=3)


def test_an_outbox_opens_gives_and_acknowledges_on_a_full_disk(small_disk):
    with Outbox(small_disk / "outbox", cap_bytes=1 << 20) as outbox:
        kept = [outbox.put(b"x", kind="alert", priority=0, ttl_s=1000) for _ in range(3)]
    fill(small_disk / "other")
    with Outbox(small_disk / "outbox", cap_bytes=1 << 20) as outbox:
        assert outbox.boot == 2
        assert [piece.record for piece in outbox.take()] == kept
        assert outbox.acknowledge([kept[0].id]) == 1
        assert outbox.ledger().closes


@pytest.mark.parametrize("damage", ["garbage", "header", "empty state", "inside"])
def test_a_damaged_database_is_kept_aside_and_said_and_the_outbox_goes_on(memory_folder, damage, caplog):
    folder = memory_folder / "outbox"
    with Outbox(folder) as outbox:
        for _ in range(200):
            outbox.put(bytes(3000), kind="sample")
    file = folder / "outbox.db"
    content = bytearray(file.read_bytes())
    if damage == "garbage":
        content = bytearray(os.urandom(len(content)))
    elif damage == "header":
        content[:100] = bytes(100)
    elif damage == "inside":
        content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    if damage == "empty state":
        with closing(sqlite3.connect(file)) as torn, torn:
            torn.execute("DELETE FROM state")
    (folder / "outbox.boots").unlink()
    with caplog.at_level(logging.WARNING), Outbox(folder) as outbox:
        new = outbox.put(b"x", kind="sample")
        assert [piece.record for piece in outbox.take()] == [new]
        assert outbox.ledger().damaged == 1
        assert outbox.ledger().since_boot == outbox.boot
        assert outbox.ledger().closes
    (aside,) = folder.glob("outbox.db.damaged-*")
    assert aside.name in caplog.text
    assert "lost in unknown number" in caplog.text
    if damage != "empty state":
        assert aside.read_bytes() == content
    with Outbox(folder) as outbox:
        assert outbox.ledger().damaged == 1
        assert [piece.record for piece in outbox.take()] == [new]


def test_the_boot_counter_does_not_go_back_with_a_lost_database(memory_folder):
    folder = memory_folder / "outbox"
    for _ in range(3):
        Outbox(folder).close()
    (folder / "outbox.db").write_bytes(b"no database at all, and long enough to be read as one" * 100)
    with Outbox(folder) as outbox:
        assert outbox.boot == 4
        assert outbox.put(b"x", kind="sample").position.boot == 4
    (folder / "outbox.boots").write_bytes(b"{")
    with Outbox(folder) as outbox:
        assert outbox.boot == 5


def test_an_outbox_of_a_newer_form_is_left_alone(memory_folder):
    folder = memory_folder / "outbox"
    Outbox(folder).close()
    with closing(sqlite3.connect(folder / "outbox.db")) as newer, newer:
        newer.execute("UPDATE state SET version = ?", (database.VERSION + 1,))
    before = (folder / opening.FILE).read_bytes()
    with pytest.raises(Misconfigured, match=r"form 2.*HAL-813"):
        Outbox(folder)
    assert (folder / opening.FILE).read_bytes() == before


def test_a_place_where_no_folder_can_be_is_said(memory_folder):
    (memory_folder / "file").write_bytes(b"")
    with pytest.raises(Misconfigured, match=r"file.*HAL-813"):
        Outbox(memory_folder / "file")


def test_a_forked_process_does_not_write_into_its_parents_outbox(memory_folder):
    with Outbox(memory_folder / "outbox", hub_key=PUBLIC) as outbox:
        child = os.fork()
        if not child:
            try:
                outbox.put(b"x", kind="sample")
            except Misconfigured:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert outbox.ledger().accepted == 0


def test_the_count_of_damaged_ones_is_kept_where_the_folder_loses_them(memory_folder):
    folder = memory_folder / "outbox"
    Outbox(folder).close()
    (folder / "outbox.db").write_bytes(b"x" * 4096)
    Outbox(folder).close()
    for aside in folder.glob("*.damaged-*"):
        aside.unlink()
    with Outbox(folder) as outbox:
        assert outbox.ledger().damaged == 1
