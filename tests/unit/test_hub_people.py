"""Who is let in, who is not, and what nobody can do with a token."""

import pytest

from halocline.decide.rights import Action
from halocline.errors import Rejected, Untrusted
from halocline.fleet import Person, Role
from halocline.hub import people
from halocline.testing.memory_store import MemoryStore

NOW_S = 1_000_000.0
DAY_S = 86_400.0
ADMIN = Person(name="admin", role=Role.ADMIN)


@pytest.fixture
def store():
    store = MemoryStore()
    people.first_admin(store, bytes(32), now_s=NOW_S)
    return store


def secret(number: int) -> bytes:
    return number.to_bytes(32, "big")


def signed_in(store, name: str, role: Role, number: int, valid_s: float = DAY_S, site: str = ""):
    person = Person(name=name, role=role, site=site)
    people.add_person(store, person, by=ADMIN, reason="", now_s=NOW_S)
    text, token = people.create_token(
        store, name, valid_s, secret(number), by=ADMIN, by_token=None, reason="", now_s=NOW_S
    )
    return person, token, text


def actions(store):
    with store.look() as tx:
        return [(link.entry.actor, link.entry.action, link.entry.outcome) for link in tx.audit()]


def test_the_first_admin_is_made_once():
    store = MemoryStore()
    token = people.first_admin(store, bytes(32), now_s=NOW_S)
    assert people.authenticate(store, token, NOW_S)[0] == ADMIN
    assert people.first_admin(store, secret(1), now_s=NOW_S) is None
    assert people.everyone(store) == [ADMIN]


def test_the_hub_keeps_nothing_that_lets_anyone_in(store):
    _, token, text = signed_in(store, "anna", Role.VIEWER, 1)
    assert text not in repr(token)
    with store.look() as tx:
        assert text not in repr([tx.audit(), tx.token(token.digest)])
    with pytest.raises(Untrusted, match="HAL-751"):
        people.authenticate(store, token.digest, NOW_S)


def test_a_token_of_fewer_random_bits_is_never_made(store):
    with pytest.raises(ValueError, match="32 random bytes"):
        people.create_token(store, "admin", DAY_S, b"short", by=ADMIN, by_token=None, reason="", now_s=NOW_S)


@pytest.mark.parametrize("text", ["", "hct_", "hct_unknown", "Bearer x", "hct_" + "A" * 43 + " "])
def test_what_is_no_token_of_this_hub_lets_nobody_in(store, text):
    with pytest.raises(Untrusted, match="HAL-751"):
        people.authenticate(store, text, NOW_S)


def test_a_token_ends_at_its_time_and_not_before(store):
    person, _, text = signed_in(store, "anna", Role.VIEWER, 1)
    assert people.authenticate(store, text, NOW_S + DAY_S - 1)[0] == person
    with pytest.raises(Untrusted, match="has ended"):
        people.authenticate(store, text, NOW_S + DAY_S)


def test_who_is_removed_is_out_at_once_with_every_token(store):
    _, _, text = signed_in(store, "anna", Role.VIEWER, 1)
    people.remove_person(store, "anna", by=ADMIN, reason="left", now_s=NOW_S)
    with pytest.raises(Untrusted, match="HAL-751"):
        people.authenticate(store, text, NOW_S)
    people.add_person(store, Person(name="anna", role=Role.ADMIN), by=ADMIN, reason="", now_s=NOW_S)
    with pytest.raises(Untrusted, match="HAL-751"):
        people.authenticate(store, text, NOW_S)


def test_a_hub_is_never_left_without_an_admin(store):
    with pytest.raises(Rejected, match="only admin"):
        people.remove_person(store, "admin", by=ADMIN, reason="", now_s=NOW_S)
    assert people.everyone(store) == [ADMIN]
    signed_in(store, "eve", Role.ADMIN, 1)
    people.remove_person(store, "admin", by=ADMIN, reason="", now_s=NOW_S)


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (Person(name="admin", role=Role.VIEWER), "already"),
        (Person(name="../x", role=Role.VIEWER), "letters"),
        (Person(name="ida", role=Role.INSTALLER), "--site"),
        (Person(name="ida", role=Role.INSTALLER, site="a/b"), "letters"),
        (Person(name="bob", role=Role.VIEWER, site="ulm"), "--site"),
    ],
)
def test_a_person_who_cannot_be_is_not_added(store, person, said):
    with pytest.raises(Rejected, match=said):
        people.add_person(store, person, by=ADMIN, reason="", now_s=NOW_S)
    assert people.everyone(store) == [ADMIN]


def test_a_token_cannot_outlive_itself_by_making_another(store):
    person, token, _ = signed_in(store, "anna", Role.OPERATOR, 1)
    later_s = NOW_S + DAY_S / 2

    def made(valid_s):
        return people.create_token(
            store, "anna", valid_s, secret(2), by=person, by_token=token, reason="", now_s=later_s
        )[1]

    with pytest.raises(Rejected, match="no later"):
        made(DAY_S / 2 + 1)
    assert made(DAY_S / 2).expires_s == token.expires_s


def test_only_who_manages_people_makes_sees_or_ends_tokens_of_others(store):
    person, token, _ = signed_in(store, "anna", Role.OPERATOR, 1)
    other = signed_in(store, "bob", Role.VIEWER, 2)[1]
    for name in ("bob", "admin", "nobody"):
        with pytest.raises(Untrusted, match="HAL-752"):
            people.create_token(store, name, 60, secret(3), by=person, by_token=token, reason="", now_s=NOW_S)
        with pytest.raises(Untrusted, match="HAL-752"):
            people.tokens_of(store, name, by=person, now_s=NOW_S)
    with pytest.raises(Untrusted, match="HAL-752"):
        people.tokens_of(store, None, by=person, now_s=NOW_S)
    with pytest.raises(Rejected, match="HAL-753"):
        people.revoke_token(store, other.digest, by=person, reason="", now_s=NOW_S)
    assert people.tokens_of(store, "anna", by=person, now_s=NOW_S) == [token]
    assert len(people.tokens_of(store, None, by=ADMIN, now_s=NOW_S)) == 3
    assert people.revoke_token(store, other.digest[:20], by=ADMIN, reason="", now_s=NOW_S) == other
    assert people.tokens_of(store, "bob", by=ADMIN, now_s=NOW_S) == []


def test_a_start_that_several_tokens_share_ends_none(store):
    signed_in(store, "anna", Role.VIEWER, 1)
    with pytest.raises(Rejected, match="several"):
        people.revoke_token(store, "sha256:", by=ADMIN, reason="", now_s=NOW_S)
    assert len(people.tokens_of(store, None, by=ADMIN, now_s=NOW_S)) == 2


@pytest.mark.parametrize("valid_s", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_token_without_an_end_is_not_made(store, valid_s):
    with pytest.raises(Rejected, match="HAL-101"):
        people.create_token(
            store, "admin", valid_s, secret(1), by=ADMIN, by_token=None, reason="", now_s=NOW_S
        )


def test_who_may_not_is_refused_with_the_roles_that_may_and_the_log_has_it(store):
    person, _, _ = signed_in(store, "anna", Role.VIEWER, 1)
    with pytest.raises(Untrusted, match="operator, admin; anna is viewer"):
        people.demand(store, person, Action.DEVICE_REVOKE, now_s=NOW_S, object="dev-x")
    assert actions(store)[-1] == ("person:anna", "device.revoke", "refused")


def test_an_installer_is_refused_beyond_their_site_and_the_log_has_it(store):
    person, _, _ = signed_in(store, "ida", Role.INSTALLER, 1, site="ulm")
    people.demand(store, person, Action.DEVICE_ACCEPT, now_s=NOW_S, labels={"site": "ulm"})
    with pytest.raises(Untrusted, match="site=ulm"):
        people.demand(store, person, Action.DEVICE_ACCEPT, now_s=NOW_S, labels={"site": "bonn"})
    assert actions(store)[-1] == ("person:ida", "device.accept", "refused")


def test_every_change_of_people_stands_in_the_log(store):
    signed_in(store, "anna", Role.VIEWER, 1)
    digest = people.tokens_of(store, "anna", by=ADMIN, now_s=NOW_S)[0].digest
    people.revoke_token(store, digest, by=ADMIN, reason="lost", now_s=NOW_S)
    people.remove_person(store, "anna", by=ADMIN, reason="left", now_s=NOW_S)
    assert actions(store) == [
        ("hub", "user.add", "done"),
        ("person:admin", "user.add", "done"),
        ("person:admin", "token.create", "done"),
        ("person:admin", "token.revoke", "done"),
        ("person:admin", "user.remove", "done"),
    ]
