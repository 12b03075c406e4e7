"""The hub may end at any write, or after it has written and before it answers: nobody is locked out."""

import pytest
from joining_parts import DAY, NOW, Hub, Key

from halocline.errors import Untrusted
from halocline.fleet import DeviceState

KEY, OTHER = Key(), Key()


class Killed(Exception):
    """The process is gone."""


class Cut:
    """Ends the hub at its nth write, counted from when it is armed."""

    def __init__(self) -> None:
        self.left = 0

    def __call__(self, _: str) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise Killed


def enrolled() -> tuple[Hub, Cut, str, str]:
    """A hub and a device in use: its id and its certificate."""
    cut = Cut()
    hub = Hub(cut)
    joined = hub.join(KEY, hub.invite())
    hub.admit(joined.certificate)
    return hub, cut, joined.device.id, joined.certificate


def cut_at_every_write(prepare, step):
    """Run the step, killed at each of its writes in turn; yields the hub as it is after each."""
    for place in range(1, 50):
        prepared = prepare()
        prepared[1].left = place
        try:
            step(*prepared)
        except Killed:
            yield prepared
        else:
            assert place > 1, "the step writes nothing"
            return
    raise AssertionError("the step never ended")


def test_a_join_that_was_cut_off_leaves_the_hub_as_before_and_the_invite_whole():
    def prepare():
        cut = Cut()
        hub = Hub(cut)
        return hub, cut, hub.invite(uses=1)

    for hub, _, invite in cut_at_every_write(prepare, lambda hub, _, invite: hub.join(KEY, invite)):
        with hub.store.look() as tx:
            assert tx.devices() == []
        assert [entry.action for entry in hub.entries()] == ["invite.create"]
        assert hub.admit(hub.join(KEY, invite).certificate)


def test_a_renewal_that_was_cut_off_leaves_the_old_certificate_in_force():
    for hub, _, device_id, certificate in cut_at_every_write(
        enrolled, lambda hub, _, device_id, __: hub.renew(KEY, device_id)
    ):
        hub.admit(certificate)
        assert hub.admit(hub.renew(KEY, device_id).certificate)


def test_a_first_use_that_was_cut_off_leaves_both_certificates_usable():
    def prepare():
        hub, cut, device_id, old = enrolled()
        return hub, cut, old, hub.renew(KEY, device_id).certificate

    for hub, _, old, new in cut_at_every_write(prepare, lambda hub, _, __, new: hub.admit(new)):
        hub.admit(old)
        hub.admit(new)


def test_a_homecoming_that_was_cut_off_can_be_taken_again_with_the_same_nonce():
    def prepare():
        hub, cut, device_id, _ = enrolled()
        return hub, cut, device_id, hub.nonce()

    for hub, _, device_id, nonce in cut_at_every_write(
        prepare, lambda hub, _, __, nonce: hub.rejoin(KEY, nonce=nonce)
    ):
        assert hub.rejoin(KEY, nonce=nonce).device.id == device_id


def test_a_late_homecoming_that_was_cut_off_leaves_the_device_as_it_was():
    later_s = NOW + 200 * DAY
    for hub, _, device_id, _ in cut_at_every_write(enrolled, lambda hub, *_: hub.rejoin(KEY, now_s=later_s)):
        assert hub.device(device_id).state is DeviceState.ENROLLED
        assert hub.rejoin(KEY, now_s=later_s).device.state is DeviceState.PENDING
        hub.accept(device_id)
        assert hub.rejoin(KEY, now_s=later_s).certificate


def test_a_revocation_that_was_cut_off_did_not_happen_and_can_be_repeated():
    for hub, _, device_id, certificate in cut_at_every_write(
        enrolled, lambda hub, _, device_id, __: hub.revoke(device_id)
    ):
        hub.admit(certificate)
        hub.revoke(device_id)
        with pytest.raises(Untrusted):
            hub.admit(certificate)


def test_what_is_refused_stays_refused_where_writing_it_down_fails():
    hub, cut, device_id, certificate = enrolled()
    hub.revoke(device_id)
    cut.left = 1
    with pytest.raises(Killed):
        hub.admit(certificate)
    with pytest.raises(Untrusted):
        hub.admit(certificate)
