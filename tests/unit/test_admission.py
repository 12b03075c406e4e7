"""Who is let in, by an invite, by a certificate, or by a known key that was away."""

import pytest
from msgspec.structs import replace

from halocline.decide.admission import (
    CROSSING_S,
    LINGER_S,
    Homecoming,
    InviteVerdict,
    Passage,
    goes_back,
    may_come_home,
    may_pass,
    may_use,
)
from halocline.fleet import Certificate, CertificateState, Device, DeviceState, Invite

NOW = 1_000_000.0
INVITE = Invite(digest="sha256:0", created_s=NOW - 10, expires_s=NOW + 10, uses=2, used=1)
DEVICE = Device(id="dev-a", key="sha256:1", state=DeviceState.ENROLLED, created_s=0.0)
SHOWN = Certificate(serial="1f", device="dev-a", not_before_s=NOW - 100, not_after_s=NOW + 100)
CURRENT = replace(SHOWN, state=CertificateState.CURRENT)
SUPERSEDED = replace(SHOWN, state=CertificateState.SUPERSEDED, superseded_s=NOW - 30)


def passage(known, device=DEVICE, *, opened_s=NOW - 50, now_s=NOW):
    return may_pass(SHOWN, known, device, opened_s=opened_s, now_s=now_s)


@pytest.mark.parametrize(
    ("invite", "serial", "verdict"),
    [
        (INVITE, "", InviteVerdict.GOOD),
        (None, "", InviteVerdict.UNKNOWN),
        (replace(INVITE, expires_s=NOW), "", InviteVerdict.EXPIRED),
        (replace(INVITE, used=2), "", InviteVerdict.USED_UP),
        (replace(INVITE, serials=frozenset({"s1"})), "s1", InviteVerdict.GOOD),
        (replace(INVITE, serials=frozenset({"s1"})), "s2", InviteVerdict.SERIAL),
        (replace(INVITE, serials=frozenset()), "", InviteVerdict.SERIAL),
    ],
)
def test_an_invite_lets_in_whom_it_is_for_while_it_holds(invite, serial, verdict):
    assert may_use(invite, serial, now_s=NOW) is verdict


def test_an_issued_certificate_passes_and_says_that_this_is_its_first_use():
    assert passage(SHOWN) is Passage.FIRST_USE
    assert passage(CURRENT) is Passage.PASS


@pytest.mark.parametrize("state", [state for state in DeviceState if state is not DeviceState.ENROLLED])
@pytest.mark.parametrize("known", [SHOWN, CURRENT, SUPERSEDED])
def test_no_certificate_of_a_device_that_is_not_enrolled_passes(state, known):
    assert passage(known, replace(DEVICE, state=state)) == state.value


def test_a_certificate_passes_for_its_own_device_alone():
    other = replace(DEVICE, id="dev-b")
    assert passage(CURRENT, other) is Passage.UNKNOWN
    assert passage(replace(CURRENT, device="dev-b"), other) is Passage.UNKNOWN
    assert passage(replace(CURRENT, device="dev-b")) is Passage.UNKNOWN
    assert passage(None) is Passage.UNKNOWN
    assert passage(CURRENT, None) is Passage.UNKNOWN


def test_a_certificate_that_ends_on_an_open_connection_passes_no_more():
    assert passage(CURRENT, now_s=SHOWN.not_after_s) is Passage.PASS
    assert passage(CURRENT, now_s=SHOWN.not_after_s + 0.1) is Passage.EXPIRED


def test_a_superseded_certificate_passes_a_minute_longer_where_it_was_connected_before():
    since_s = NOW - 30
    assert passage(SUPERSEDED, opened_s=since_s - 1) is Passage.PASS
    assert passage(SUPERSEDED, opened_s=since_s - 1, now_s=since_s + LINGER_S + 1) is Passage.SUPERSEDED


def test_a_superseded_certificate_on_a_newer_connection_is_a_clone():
    since_s = NOW - 30
    assert passage(SUPERSEDED, opened_s=since_s + CROSSING_S + 0.1) is Passage.CLONE


def test_a_handshake_that_crossed_the_first_use_of_the_successor_is_no_clone():
    since_s = NOW - 30
    assert passage(SUPERSEDED, opened_s=since_s + CROSSING_S) is Passage.PASS


@pytest.mark.parametrize(
    ("state", "home"),
    [
        (DeviceState.ENROLLED, Homecoming.NOW),
        (DeviceState.PENDING, Homecoming.PENDING),
        (DeviceState.REVOKED, Homecoming.NEVER),
        (DeviceState.REPLACED, Homecoming.NEVER),
    ],
)
def test_a_device_comes_home_unless_it_is_out(state, home):
    device = replace(DEVICE, state=state)
    assert may_come_home(device, [CURRENT], now_s=NOW, grace_s=5.0) is home


def test_a_device_that_was_away_beyond_the_grace_time_waits_until_someone_accepted_it():
    late_s = CURRENT.not_after_s + 5.0
    assert may_come_home(DEVICE, [CURRENT], now_s=late_s, grace_s=5.0) is Homecoming.NOW
    assert may_come_home(DEVICE, [CURRENT], now_s=late_s + 0.1, grace_s=5.0) is Homecoming.WAIT
    assert may_come_home(DEVICE, [SUPERSEDED], now_s=late_s + 0.1, grace_s=5.0) is Homecoming.NOW


def test_the_last_of_several_certificates_decides_how_long_a_device_was_away():
    older = replace(CURRENT, serial="2", not_after_s=NOW - 1000)
    assert may_come_home(DEVICE, [SHOWN, older], now_s=NOW + 101, grace_s=5.0) is Homecoming.NOW


def test_a_boot_counter_that_goes_back_is_a_clone_and_one_that_stays_is_none():
    assert goes_back(5, 4)
    assert not goes_back(5, 5)
    assert not goes_back(5, 6)
