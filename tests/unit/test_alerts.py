"""Alerts open once, close once, and only where somebody should get up."""

import msgspec

from halocline.decide.alerts import Alert, AlertRules, Disk, Facts, Failure, judge
from halocline.fleet import Device, DeviceState

ONE = Device(
    id="dev-abcdefghij234567", key="sha256:k", state=DeviceState.ENROLLED, created_s=0.0, seen_s=1000.0
)
RULES = AlertRules(silent_s=600, silent_polls=5, settle_s=120)
GIB = 1 << 30


def device(**changes: object) -> Device:
    return msgspec.structs.replace(ONE, **changes)


def story(*moments: tuple[float, Facts]) -> list[str]:
    """What was told, in order."""
    told: list[str] = []
    is_open: dict[str, Alert] = {}
    for now_s, facts in moments:
        judged = judge(is_open, facts, RULES, now_s=now_s)
        is_open = judged.open
        told += [f"{now_s:g} opened {each.id}" for each in judged.opened]
        told += [f"{now_s:g} closed {each.id}" for each in judged.closed]
    return told


def test_a_silent_device_is_told_once_and_its_return_once():
    quiet, back = Facts(devices=[ONE]), Facts(devices=[device(seen_s=1900.0)])
    assert story((1599, quiet), (1600, quiet), (1700, quiet), (1900, back), (2019, back), (2020, back)) == [
        "1600 opened device.silent:dev-abcdefghij234567",
        "2020 closed device.silent:dev-abcdefghij234567",
    ]


def test_a_device_that_comes_and_goes_is_one_alert():
    quiet, back = Facts(devices=[ONE]), Facts(devices=[device(seen_s=1650.0)])
    assert len(story((1600, quiet), (1650, back), (2250, back), (2300, back))) == 1


def test_a_device_that_looks_rarely_is_not_called_silent_between_two_looks():
    rare = Facts(devices=[ONE], poll_s={ONE.id: 3600.0})
    assert story((1000 + 5 * 3600 - 1, rare)) == []
    assert len(story((1000 + 5 * 3600, rare))) == 1


def test_the_silence_of_the_hub_itself_is_held_against_no_device():
    assert story((100_000, Facts(devices=[ONE], watched_since_s=99_900))) == []


def test_a_device_that_never_came_is_silent_since_it_joined():
    (alert,) = judge({}, Facts(devices=[device(seen_s=None)]), RULES, now_s=600).opened
    assert alert.since_s == 0.0
    assert "never heard of" in alert.cause


def test_devices_that_wait_or_are_out_are_no_alert():
    others = [state for state in DeviceState if state is not DeviceState.ENROLLED]
    assert story(*((99_999, Facts(devices=[device(state=each, cloned_s=99_000.0)])) for each in others)) == []


def test_a_clone_is_told_until_it_is_dealt_with():
    cloned = Facts(devices=[device(seen_s=5000.0, cloned_s=5000.0)])
    again = Facts(devices=[device(seen_s=5100.0, cloned_s=5100.0)])
    out = Facts(devices=[device(state=DeviceState.REVOKED, cloned_s=5100.0)])
    assert story((5000, cloned), (5100, again), (5130, out)) == [
        "5000 opened device.clone:dev-abcdefghij234567",
        "5130 closed device.clone:dev-abcdefghij234567",
    ]


def test_a_disk_at_its_limit_is_one_alert_and_closes_with_room_to_spare():
    def free(gib: float) -> Facts:
        return Facts(disk=Disk(total_bytes=20 * GIB, free_bytes=int(gib * GIB)))

    assert story(
        (0, free(2.1)), (30, free(1.9)), (60, free(2.1)), (500, free(2.1)), (530, free(3.1)), (650, free(3.1))
    ) == ["30 opened hub.disk", "650 closed hub.disk"]


def test_a_tenth_of_a_large_disk_is_room_enough():
    assert story((0, Facts(disk=Disk(total_bytes=4096 * GIB, free_bytes=100 * GIB)))) == []


def test_a_backup_that_failed_says_why():
    facts = Facts(backup=Failure(since_s=7.0, cause="no space left"))
    (alert,) = judge({}, facts, RULES, now_s=30).opened
    assert (alert.since_s, "no space left" in alert.cause) == (7.0, True)


def test_an_open_alert_keeps_the_time_when_it_began():
    first = judge({}, Facts(disk=Disk(total_bytes=100, free_bytes=1)), RULES, now_s=10).open
    later = judge(first, Facts(disk=Disk(total_bytes=100, free_bytes=0)), RULES, now_s=40).open
    assert later["hub.disk"].since_s == 10
    assert "0 MiB" in later["hub.disk"].cause
