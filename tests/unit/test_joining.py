"""How a device comes in, stays in, comes home, and is kept out; each step is written down."""

import re

import pytest
from joining_parts import DAY, NOW, SECRET, Hub, Key, authority

from halocline.adapters.certificates.facts import read_certificate
from halocline.errors import HaloclineError, Rejected, Untrusted
from halocline.fleet import DEVICE_ID, CertificateState, DeviceState, Facts, ModelSettings, Reported, Settings
from halocline.hub import joining, nonces, twins

KEY, OTHER = Key(), Key()


@pytest.fixture
def hub() -> Hub:
    return Hub()


def refused(call, *args, **more) -> HaloclineError:
    with pytest.raises((Rejected, Untrusted)) as caught:
        call(*args, **more)
    return caught.value


def states(hub: Hub, device_id: str) -> list[CertificateState]:
    return [one.state for one in hub.certificates(device_id)]


# By an invite


def test_a_device_joins_by_an_invite_and_is_admitted(hub):
    joined = hub.join(KEY, hub.invite(labels={"type": "cam"}), facts=Facts(serial="s1", machine="x"))
    assert re.fullmatch(DEVICE_ID, joined.device.id)
    assert joined.device.labels == {"type": "cam"}
    assert joined.device.facts == Facts(serial="s1", machine="x")
    assert hub.admit(joined.certificate).state is DeviceState.ENROLLED
    assert states(hub, joined.device.id) == [CertificateState.CURRENT]


def test_a_lost_answer_costs_nothing_the_same_key_is_the_same_device(hub):
    invite = hub.invite(uses=1)
    first = hub.join(KEY, invite)
    again = hub.join(KEY, invite)
    assert again.device.id == first.device.id
    assert again.certificate != first.certificate
    assert hub.admit(again.certificate).id == first.device.id


def test_an_invite_lets_in_as_many_as_it_says(hub):
    invite = hub.invite(uses=2)
    hub.join(KEY, invite)
    hub.join(OTHER, invite)
    error = refused(hub.join, Key(), invite)
    assert error.code == "HAL-713"
    assert "used up" in error.message


def test_an_invite_ends(hub):
    invite = hub.invite(ttl_s=60)
    assert "expired" in refused(hub.join, KEY, invite, now_s=NOW + 60).message


@pytest.mark.parametrize("secret", ["AAAA", "!", "é", "A" * 4000])
def test_an_invite_that_nobody_made_lets_nobody_in(hub, secret):
    hub.invite()
    error = refused(hub.join, KEY, secret)
    assert error.code == "HAL-713"
    assert "no such invite" in error.message
    assert [entry.outcome for entry in hub.entries("device.join")] == ["refused"]


def test_each_serial_of_an_invite_joins_once(hub):
    invite = hub.invite(serials=["s1", "s2"])
    hub.join(KEY, invite, facts=Facts(serial="s1"))
    assert "s1" in refused(hub.join, OTHER, invite, facts=Facts(serial="s1")).message
    assert "no serial" in refused(hub.join, OTHER, invite).message
    assert hub.join(OTHER, invite, facts=Facts(serial="s2")).certificate


@pytest.mark.parametrize(
    "more",
    [
        {"ttl_s": 0},
        {"ttl_s": float("nan")},
        {"uses": 0},
        {"uses": 10**9},
        {"serials": [""]},
        {"serials": []},
        {"labels": {"../x": "y"}},
    ],
)
def test_an_invite_that_makes_no_sense_is_not_made(hub, more):
    assert refused(hub.invite, **more).code in ("HAL-101", "HAL-102")
    assert refused(hub.join, KEY, "AAECAwQFBgcICQoLDA0ODw==").code == "HAL-713"


def test_the_hub_keeps_no_secret(hub):
    hub.join(KEY, hub.invite())
    with hub.store.look() as tx:
        kept = repr([tx.audit(), tx.invite(joining.digest_of(SECRET)), tx.devices()])
    for told in (repr(SECRET)[2:-1], SECRET.hex(), "AAECAwQFBgcICQoLDA0ODw"):
        assert told not in kept


def test_a_key_that_was_used_does_not_join_again_without_an_invite(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    assert refused(hub.join, KEY, "").code == "HAL-715"
    assert refused(hub.join, KEY, "AAECAwQFBgcICQoLDA0ODw==").code == "HAL-713"  # used up
    assert hub.join(KEY, hub.invite(b"1" * 16)).device.id == joined.device.id


def test_facts_are_kept_short_and_printable(hub):
    facts = hub.join(KEY, hub.invite(), facts=Facts(serial="a\n" * 500, machine="\x1b[31m")).device.facts
    assert facts.serial == "a" * 64
    assert facts.machine == "[31m"


# By someone's word


def test_a_device_without_an_invite_waits_until_it_is_accepted(hub):
    asked = hub.join(KEY)
    assert asked.device.state is DeviceState.PENDING
    assert re.fullmatch(r"[A-Z2-7]{4}-[A-Z2-7]{4}", asked.device.code)
    assert not asked.certificate
    assert hub.join(KEY) == asked
    hub.accept(asked.device.id, labels={"site": "north"})
    joined = hub.join(KEY)
    assert joined.device.id == asked.device.id
    assert hub.admit(joined.certificate).labels == {"site": "north"}


def test_a_device_that_waits_may_still_use_an_invite(hub):
    asked = hub.join(KEY)
    joined = hub.join(KEY, hub.invite())
    assert joined.device.id == asked.device.id
    assert hub.admit(joined.certificate).code == ""


def test_a_device_whose_first_certificate_was_lost_for_long_is_in_once_it_is_accepted_again(hub):
    device_id = hub.join(KEY).device.id
    hub.accept(device_id)
    hub.join(KEY)  # the answer is lost, and the device off for months
    later_s = NOW + 200 * DAY
    assert not hub.join(KEY, now_s=later_s).certificate
    hub.accept(device_id)
    for _ in range(2):  # that answer may be lost as well
        joined = hub.join(KEY, now_s=later_s)
    assert hub.admit(joined.certificate, now_s=later_s).id == device_id


def test_the_code_is_not_made_of_the_key(hub):
    other = Hub()
    other.chance()
    assert hub.join(KEY).device.code == Hub().join(OTHER).device.code != other.join(KEY).device.code


def test_accepting_twice_is_once_and_a_revoked_one_is_not_accepted(hub):
    device_id = hub.join(KEY).device.id
    hub.accept(device_id)
    hub.accept(device_id)
    assert len(hub.entries("device.accept")) == 1
    hub.revoke(device_id)
    assert refused(hub.accept, device_id).code == "HAL-747"
    assert refused(hub.accept, "dev-aaaaaaaaaaaaaaaa").code == "HAL-748"


# Renewal


def test_the_old_certificate_holds_until_the_new_one_is_first_used(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    renewed = hub.renew(KEY, joined.device.id, now_s=NOW + 100)
    hub.admit(joined.certificate, now_s=NOW + 200)
    hub.admit(renewed.certificate, now_s=NOW + 300)
    assert states(hub, joined.device.id) == [CertificateState.SUPERSEDED, CertificateState.CURRENT]
    hub.admit(joined.certificate, opened_s=NOW + 200, now_s=NOW + 350)
    error = refused(hub.admit, joined.certificate, opened_s=NOW + 200, now_s=NOW + 400)
    assert error.code == "HAL-715"
    assert hub.device(joined.device.id).cloned_s is None


def test_any_number_of_lost_renewals_lock_nobody_out(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    renewals = [hub.renew(KEY, joined.device.id) for _ in range(5)]
    hub.admit(joined.certificate)
    hub.admit(renewals[2].certificate)
    assert hub.admit(renewals[2].certificate)


def test_certificates_that_ended_long_ago_are_forgotten(hub):
    joined = hub.join(KEY, hub.invite())
    held = joined.certificate
    for day in range(30):
        hub.admit(held, now_s=NOW + day * DAY)
        held = hub.renew(KEY, joined.device.id, now_s=NOW + day * DAY).certificate
    assert len(hub.certificates(joined.device.id)) == 9


def test_a_renewal_is_for_the_devices_own_key(hub):
    device_id = hub.join(KEY, hub.invite()).device.id
    other_id = hub.join(OTHER, hub.invite(b"2" * 16)).device.id
    assert refused(hub.renew, OTHER, device_id).code == "HAL-712"
    assert refused(hub.renew, KEY, other_id).code == "HAL-712"
    assert refused(hub.renew, Key(), device_id).code == "HAL-712"
    assert [entry.outcome for entry in hub.entries("device.renew")] == ["refused"] * 3


def test_a_revoked_device_renews_nothing(hub):
    device_id = hub.join(KEY, hub.invite()).device.id
    hub.revoke(device_id)
    assert refused(hub.renew, KEY, device_id).code == "HAL-714"


# Admission


def test_a_revoked_device_is_out_at_its_next_request_on_an_open_connection(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    hub.revoke(joined.device.id)
    error = refused(hub.admit, joined.certificate, opened_s=NOW - 5)
    assert error.code == "HAL-714"
    assert hub.entries("device.connect")[-1].outcome == "refused"
    for call in (hub.join, hub.rejoin):
        assert refused(call, KEY).code == "HAL-714"
    assert refused(hub.join, KEY, hub.invite(b"3" * 16)).code == "HAL-714"


def test_a_clone_is_noted_once_a_minute_and_refused(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    hub.admit(hub.renew(KEY, joined.device.id).certificate)
    for later_s in (100.0, 110.0, 120.0, 170.0):
        assert "other copy" in refused(hub.admit, joined.certificate, now_s=NOW + later_s).message
    assert len(hub.entries("device.clone")) == 2
    assert hub.device(joined.device.id).cloned_s == NOW + 170


def test_a_boot_counter_that_goes_back_is_a_clone(hub):
    device_id = hub.join(KEY, hub.invite()).device.id
    for boot in (3, 4, 4, 3):
        twins.report(hub.store, device_id, Reported(boot=boot), now_s=NOW)
    assert [entry.reason for entry in hub.entries("device.clone")] == ["boot counter 3 after 4"]


def test_a_certificate_of_a_forgotten_enrolment_is_told_so(hub):
    joined = Hub().join(KEY)
    issued, _ = authority().issue_device(joined_key(), joined.device.id, now_s=NOW, valid_s=DAY)
    assert "does not know" in refused(hub.admit, issued).message
    assert refused(hub.rejoin, KEY).code == "HAL-715"


def joined_key() -> bytes:
    return authority().read_request(KEY.csr).public_key


def test_most_requests_write_nothing(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    hub.on_write = lambda what: pytest.fail(f"wrote {what}")
    hub.admit(joined.certificate, now_s=NOW + 29)


def test_the_last_contact_is_known_to_half_a_minute(hub):
    joined = hub.join(KEY, hub.invite())
    for now_s in (NOW, NOW + 10, NOW + 31, NOW + 40):
        hub.admit(joined.certificate, now_s=now_s)
    assert hub.device(joined.device.id).seen_s == NOW + 31


def test_a_refusal_that_repeats_is_written_down_once_a_minute_and_refused_each_time(hub):
    joined = hub.join(KEY, hub.invite())
    hub.revoke(joined.device.id)
    peer = joining.Peer(read_certificate(joined.certificate.encode()), NOW)
    repeats = joining.Repeats()
    for later_s in (0, 1, 59, 61, 62):
        assert refused(joining.admit, hub.store, peer, NOW + later_s, repeats=repeats).code == "HAL-714"
    assert len(hub.entries("device.connect")) == 2


def test_repeats_of_many_are_remembered_within_bounds():
    repeats = joining.Repeats(max_remembered=2)
    for who in "abc":
        repeats.remember(who, "revoked", now_s=0.0)
    assert [repeats.is_one(who, "revoked", now_s=1.0) for who in "abc"] == [False, True, True]
    assert not repeats.is_one("c", "clone", now_s=1.0)


# Coming home


def test_a_device_that_was_dark_comes_home_at_once_within_the_grace_time(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    later_s = NOW + 20 * DAY
    assert refused(hub.admit, joined.certificate, now_s=later_s).code == "HAL-715"
    home = hub.rejoin(KEY, now_s=later_s)
    assert home.device.id == joined.device.id
    assert hub.admit(home.certificate, now_s=later_s)


def test_a_device_that_was_dark_for_longer_comes_home_once_it_is_accepted(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    later_s = NOW + 200 * DAY
    waiting = hub.rejoin(KEY, now_s=later_s)
    assert waiting.device.state is DeviceState.PENDING
    assert waiting.device.code
    assert not waiting.certificate
    assert hub.rejoin(KEY, now_s=later_s) == waiting
    hub.accept(joined.device.id)
    home = hub.rejoin(KEY, now_s=later_s + DAY)
    assert hub.admit(home.certificate, now_s=later_s + DAY).id == joined.device.id


def test_a_nonce_is_used_once_also_at_another_process(hub):
    hub.admit(hub.join(KEY, hub.invite()).certificate)
    nonce = hub.nonce()
    hub.rejoin(KEY, nonce=nonce)
    error = refused(hub.rejoin, KEY, nonce=nonce)
    assert error.code == "HAL-717"
    assert "used already" in error.message


def test_a_nonce_holds_for_a_minute(hub):
    hub.admit(hub.join(KEY, hub.invite()).certificate)
    nonce = hub.nonce()
    assert "61 s old" in refused(hub.rejoin, KEY, nonce=nonce, now_s=NOW + 61).message
    assert hub.rejoin(KEY, nonce=nonce, now_s=NOW + 59).certificate


@pytest.mark.parametrize("nonce", ["AAAA", "no", "é", "A" * 80])
def test_a_nonce_of_no_hub_is_refused(hub, nonce):
    hub.admit(hub.join(KEY, hub.invite()).certificate)
    assert refused(hub.rejoin, KEY, nonce=nonce).code == "HAL-717"


def test_a_nonce_of_another_hub_is_refused():
    nonce = nonces.make(b"another", chance=b"1" * 16, now_s=NOW)
    with pytest.raises(Untrusted):
        nonces.check(b"mine", nonce, now_s=NOW)


def test_coming_home_takes_the_key_itself(hub):
    hub.admit(hub.join(KEY, hub.invite()).certificate)
    error = refused(hub.rejoin, KEY, signer=OTHER)
    assert error.code == "HAL-717"
    assert hub.entries("device.rejoin")[-1].outcome == "refused"


def test_an_unknown_key_does_not_come_home(hub):
    assert "knows no device" in refused(hub.rejoin, KEY).message


# Replacing


def test_a_replacement_has_the_labels_and_settings_of_the_old_one(hub):
    old = hub.join(KEY, hub.invite(labels={"site": "north"}))
    hub.admit(old.certificate)
    wanted = Settings(models={"m": ModelSettings(threshold=0.9)})
    twins.set_desired(hub.store, old.device.id, wanted, actor="person:ann", reason="", now_s=NOW)
    new = hub.join(OTHER, hub.invite(b"4" * 16, labels={"type": "cam"}))
    after = joining.replace(hub.store, old.device.id, new.device.id, actor="person:ann", now_s=NOW)
    assert after.labels == {"site": "north", "type": "cam"}
    assert after.replaces == old.device.id
    with hub.store.look() as tx:
        assert tx.twin(new.device.id).desired.settings == wanted
    assert refused(hub.admit, old.certificate).code == "HAL-714"
    again = joining.replace(hub.store, old.device.id, new.device.id, actor="person:ann", now_s=NOW)
    assert again == after


def test_a_device_is_replaced_by_an_enrolled_one_alone(hub):
    old = hub.join(KEY, hub.invite()).device.id
    waiting = hub.join(OTHER).device.id
    for new, said in ((waiting, "pending"), (old, "itself")):
        error = refused(joining.replace, hub.store, old, new, actor="person:ann", now_s=NOW)
        assert error.code == "HAL-747"
        assert said in error.message


# What is written down


def test_each_step_is_written_down_with_who_took_it(hub):
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    hub.renew(KEY, joined.device.id)
    hub.revoke(joined.device.id)
    device = f"device:{joined.device.id}"
    assert [(entry.action, entry.actor) for entry in hub.entries()] == [
        ("invite.create", "person:ann"),
        ("invite.use", "hub"),
        ("device.join", device),
        ("certificate.use", device),
        ("device.renew", device),
        ("device.revoke", "person:ann"),
    ]
    assert hub.entries("device.revoke")[0].reason == "lost"


def test_a_certificate_says_what_the_hub_keeps_of_it(hub):
    joined = hub.join(KEY, hub.invite())
    assert [read_certificate(joined.certificate.encode())] == hub.certificates(joined.device.id)
