"""Every role may do exactly what the table of the documentation says, and an installer on one site alone."""

from itertools import product

import pytest

from halocline.decide.rights import RIGHTS, Action, covers, may, roles_that_may
from halocline.fleet import Person, Role

# One line a role, one column an action: what the code must say, written down a second time.
COLUMNS = "see_hub see accept invite label set revoke replace own manage audit change"
TABLE = {
    Role.VIEWER: "yes yes  -   -   -   -   -   -   yes  -   -   -",
    Role.OPERATOR: "yes yes yes yes yes yes yes yes yes  -   -   -",
    Role.ADMIN: "yes yes yes yes yes yes yes yes yes yes yes yes",
    Role.AUDITOR: "yes yes  -   -   -   -   -   -   yes  -  yes  -",
    Role.INSTALLER: "yes yes yes  -   -   -   -   -   yes  -   -   -",
}
ACTIONS = [
    Action.HUB_SEE,
    Action.DEVICE_SEE,
    Action.DEVICE_ACCEPT,
    Action.DEVICE_INVITE,
    Action.DEVICE_LABEL,
    Action.DEVICE_SET,
    Action.DEVICE_REVOKE,
    Action.DEVICE_REPLACE,
    Action.TOKEN_OWN,
    Action.PEOPLE_MANAGE,
    Action.AUDIT_SEE,
    Action.HUB_CHANGE,
]


def test_the_table_here_names_every_role_and_every_action() -> None:
    assert set(ACTIONS) == set(Action)
    assert len(ACTIONS) == len(COLUMNS.split())
    assert set(TABLE) == set(Role) == set(RIGHTS)


@pytest.mark.parametrize(("role", "at"), list(product(Role, range(len(ACTIONS)))))
def test_a_role_may_do_what_the_table_says_and_nothing_else(role: Role, at: int) -> None:
    assert may(role, ACTIONS[at]) is (TABLE[role].split()[at] == "yes")


@pytest.mark.parametrize("action", Action)
def test_someone_may_do_everything_and_an_admin_is_among_them(action: Action) -> None:
    assert Role.ADMIN in roles_that_may(action)


def test_an_installer_has_the_devices_of_one_site_and_no_other() -> None:
    anna = Person(name="anna", role=Role.INSTALLER, site="ulm")
    assert covers(anna, {"site": "ulm", "type": "cam"})
    assert not covers(anna, {"site": "Ulm"})
    assert not covers(anna, {"site": ""})
    assert not covers(anna, {})


def test_an_installer_without_a_site_has_no_device_at_all() -> None:
    nobody = Person(name="nobody", role=Role.INSTALLER)
    assert not covers(nobody, {})
    assert not covers(nobody, {"site": ""})
    assert not covers(nobody, {"site": "ulm"})


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.INSTALLER])
def test_every_other_role_has_all_devices(role: Role) -> None:
    assert covers(Person(name="bob", role=role), {})
    assert covers(Person(name="bob", role=role), {"site": "ulm"})
