"""A token may be narrower than its person's role, and never makes one that is broader than itself."""

from itertools import product

import pytest

from halocline.decide.rights import RIGHTS, SITE, Action, allows, covers, only
from halocline.errors import Rejected, Untrusted
from halocline.fleet import Acting, Person, Role
from halocline.hub import people
from halocline.testing.memory_store import MemoryStore

NOW_S = 1_000_000.0
DAY_S = 86_400.0
ADMIN = Person(name="admin", role=Role.ADMIN)
LOOKING = (Action.HUB_SEE, Action.DEVICE_SEE)


@pytest.fixture
def store():
    store = MemoryStore()
    people.first_admin(store, bytes(32), now_s=NOW_S)
    for name, role, site in (("olga", Role.OPERATOR, ""), ("ines", Role.INSTALLER, "north")):
        person = Person(name=name, role=role, site=site)
        people.add_person(store, person, by=ADMIN, reason="", now_s=NOW_S)
    return store


def make(store, name, *, by=ADMIN, by_token=None, valid_s=DAY_S, actions=(), labels=None, number=7):
    text, token = people.create_token(
        store,
        name,
        valid_s,
        number.to_bytes(32, "big"),
        by=by,
        by_token=by_token,
        reason="",
        now_s=NOW_S,
        actions=actions,
        labels=labels,
    )
    return (*people.authenticate(store, text, NOW_S), token)


@pytest.mark.parametrize(("role", "scoped", "action"), list(product(Role, Action, Action)))
def test_a_scope_allows_what_it_names_of_what_the_role_may_and_who_one_is(role, scoped, action):
    person = Acting(name="x", role=role, site="north", actions=(scoped,))
    wanted = action in RIGHTS[role] and action in (scoped, Action.HUB_SEE)
    assert allows(person, action) is wanted


@pytest.mark.parametrize("action", Action)
def test_a_token_for_some_devices_never_reaches_beyond_devices(action):
    person = Acting(name="x", role=Role.ADMIN, labels={"region": "eu"})
    assert allows(person, action) is (action not in (Action.PEOPLE_MANAGE, Action.AUDIT_SEE))


def test_labels_and_a_site_narrow_together():
    person = Acting(name="x", role=Role.INSTALLER, site="north", labels={"region": "eu"})
    assert only(person) == {SITE: "north", "region": "eu"}
    assert covers(person, {SITE: "north", "region": "eu", "type": "cam"})
    assert not covers(person, {SITE: "north"})
    assert not covers(person, {"region": "eu"})


def test_a_token_without_a_scope_is_all_of_its_person(store):
    person, token, _ = make(store, "olga")
    assert person == Person(name="olga", role=Role.OPERATOR)
    assert (token.actions, token.labels) == ((), {})


def test_a_narrowed_token_is_told_by_who_acts_and_by_the_audit_log(store):
    person, token, made = make(store, "olga", actions=LOOKING, labels={"region": "eu"})
    assert isinstance(person, Acting)
    assert (person.actions, person.labels) == (LOOKING, {"region": "eu"})
    assert token == made
    with store.look() as tx:
        told = tx.audit()[-1].entry.details
    assert (told["actions"], told["labels"]) == (list(LOOKING), {"region": "eu"})


def test_what_lies_outside_of_the_scope_is_refused_and_written_down(store):
    person, *_ = make(store, "olga", actions=LOOKING)
    with pytest.raises(Untrusted, match=r"device.revoke is not in the scope of this token.*HAL-752"):
        people.demand(store, person, Action.DEVICE_REVOKE, now_s=NOW_S, object="dev-x")
    with store.look() as tx:
        entry = tx.audit()[-1].entry
    assert (entry.action, entry.outcome, entry.object) == ("device.revoke", "refused", "dev-x")


@pytest.mark.parametrize(
    ("name", "actions", "labels", "why"),
    [
        ("olga", ["device.fly"], {}, "no action 'device.fly'"),
        ("olga", ["people.manage"], {}, "only narrows"),
        ("ines", ["device.revoke"], {}, "only narrows"),
        ("admin", ["audit.see"], {"region": "eu"}, "beyond the devices"),
        ("ines", [], {"site": "south"}, "site=north alone"),
    ],
)
def test_a_scope_that_narrows_nothing_is_refused(store, name, actions, labels, why):
    with pytest.raises(Rejected, match=why) as caught:
        make(store, name, actions=actions, labels=labels)
    assert caught.value.code == "HAL-786"


OWN = (Action.TOKEN_OWN, Action.DEVICE_SEE, Action.DEVICE_SET)


@pytest.mark.parametrize(
    ("actions", "labels"),
    [
        ((Action.DEVICE_REVOKE,), {}),
        ((*OWN, Action.DEVICE_REVOKE), {}),
        ((), {"region": "us"}),
        ((Action.DEVICE_SEE,), {"region": "us", "type": "cam"}),
    ],
)
def test_a_token_makes_no_broader_one(store, actions, labels):
    by, by_token, _ = make(store, "olga", actions=OWN, labels={"region": "eu"})
    with pytest.raises(Untrusted, match="HAL-752"):
        make(store, "olga", by=by, by_token=by_token, valid_s=60, actions=actions, labels=labels, number=8)
    with store.look() as tx:
        assert (tx.audit()[-1].entry.action, tx.audit()[-1].entry.outcome) == ("token.create", "refused")


def test_what_a_narrowed_token_makes_is_as_narrow_where_nothing_is_said(store):
    by, by_token, _ = make(store, "olga", actions=OWN, labels={"region": "eu"})
    person, *_ = make(store, "olga", by=by, by_token=by_token, valid_s=60, labels={"type": "cam"}, number=8)
    assert set(person.actions) == set(OWN)
    assert person.labels == {"region": "eu", "type": "cam"}


def test_who_manages_people_by_a_narrowed_token_makes_nobody_broader(store):
    by, by_token, _ = make(store, "admin", actions=(Action.PEOPLE_MANAGE, Action.TOKEN_OWN))
    for name in ("admin", "olga"):
        with pytest.raises(Untrusted, match="HAL-752"):
            make(store, name, by=by, by_token=by_token, actions=(Action.DEVICE_SEE,), number=8)
    person, *_ = make(store, "admin", by=by, by_token=by_token, number=8)
    assert set(person.actions) == {Action.PEOPLE_MANAGE, Action.TOKEN_OWN}
    person, *_ = make(store, "olga", by=by, by_token=by_token, number=9)
    assert person.actions == (Action.TOKEN_OWN,)


def test_a_token_without_the_right_to_manage_people_ends_no_others_token(store):
    _, _, olgas = make(store, "olga", number=8)
    by, *_ = make(store, "admin", actions=(Action.TOKEN_OWN,))
    with pytest.raises(Rejected, match="HAL-753"):
        people.revoke_token(store, olgas.digest, by=by, reason="", now_s=NOW_S)
    with pytest.raises(Untrusted, match="HAL-752"):
        people.tokens_of(store, None, by=by, now_s=NOW_S)
