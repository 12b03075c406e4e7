"""Decide what a person may do at a hub: one table of roles and actions, and the site of an installer."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from halocline.fleet import Person, Role

SITE: Final = "site"
"""The label by which a device belongs to a site."""


class Action(StrEnum):
    """What can be asked for on the people's door."""

    HUB_SEE = "hub.see"
    DEVICE_SEE = "device.see"
    DEVICE_ACCEPT = "device.accept"
    DEVICE_INVITE = "device.invite"
    DEVICE_LABEL = "device.label"
    DEVICE_SET = "device.set"
    DEVICE_REVOKE = "device.revoke"
    DEVICE_REPLACE = "device.replace"
    TOKEN_OWN = "token.own"  # noqa: S105 - the name of a right
    """See and revoke one's own tokens, and make others that end no later than the one in use."""
    PEOPLE_MANAGE = "people.manage"
    """See, add and remove people, and everyone's tokens."""
    AUDIT_SEE = "audit.see"


_SEE: Final = frozenset({Action.HUB_SEE, Action.DEVICE_SEE, Action.TOKEN_OWN})

RIGHTS: Final[Mapping[Role, frozenset[Action]]] = {
    Role.VIEWER: _SEE,
    Role.INSTALLER: _SEE | {Action.DEVICE_ACCEPT},
    Role.AUDITOR: _SEE | {Action.AUDIT_SEE},
    Role.OPERATOR: _SEE
    | {
        Action.DEVICE_ACCEPT,
        Action.DEVICE_INVITE,
        Action.DEVICE_LABEL,
        Action.DEVICE_SET,
        Action.DEVICE_REVOKE,
        Action.DEVICE_REPLACE,
    },
    Role.ADMIN: frozenset(Action),
}
"""What each role may do; what does not stand here is refused."""


def may(role: Role, action: Action) -> bool:
    """Whether the role may do this at all; `covers` says for which devices."""
    return action in RIGHTS[role]


def roles_that_may(action: Action) -> list[Role]:
    """The roles to ask for where one is refused, in the order of the list of roles."""
    return [role for role in Role if may(role, action)]


def covers(person: Person, labels: Mapping[str, str]) -> bool:
    """Whether a device with these labels is among those of the person: an installer's are of one site.

    An installer without a site has none, and a device without the label belongs to no site.
    """
    if person.role is not Role.INSTALLER and not person.site:
        return True
    return bool(person.site) and labels.get(SITE) == person.site
