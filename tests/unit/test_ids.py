"""Ids are UUIDv7, and unique over threads and over a fork."""

import os
import threading
import time
import uuid

from halocline.edge.ids import new_id


def test_an_id_is_a_uuid_of_version_7_in_its_text_form():
    before_ms = time.time_ns() // 1_000_000
    text = new_id()
    after_ms = time.time_ns() // 1_000_000
    value = uuid.UUID(text)
    assert str(value) == text
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert before_ms <= value.int >> 80 <= after_ms


def test_every_bit_that_is_free_is_random():
    values = [uuid.UUID(new_id()).int & ((1 << 80) - 1) for _ in range(400)]
    ever_set, ever_clear = 0, 0
    for value in values:
        ever_set |= value
        ever_clear |= ~value
    fixed = 0xF << 76 | 0x3 << 62  # version and variant
    free = ((1 << 80) - 1) & ~fixed
    assert ever_set & free == free
    assert ever_clear & free == free


def test_ids_are_unique_over_threads():
    made = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda own=own: own.extend(new_id() for _ in range(5_000))) for own in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for own in made for one in own}) == 40_000


def test_ids_are_unique_over_a_fork():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, "\n".join(new_id()[14:] for _ in range(50)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    ours = {new_id()[14:] for _ in range(50)}  # without the time, which may differ
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split("\n"))
    os.waitpid(child, 0)
    assert len(theirs) == 50
    assert not ours & theirs
