"""Decide what a person may do at a hub: a table of roles and actions, a site, a token's scope."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from halocline.fleet import Acting, Person, Role

SITE: Final = "site"
"""The label by which a device belongs to a site."""


class Action(StrEnum):
    """What can be asked for on the people's door."""

    HUB_SEE = "hub.see"
    HUB_CHANGE = "hub.change"
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


_WHOLE_HUB: Final = frozenset({Action.PEOPLE_MANAGE, Action.AUDIT_SEE})
"""What reaches beyond any devices: a token that is narrowed to some of them never does it."""


def may(role: Role, action: Action) -> bool:
    """Whether the role may do this at all; `covers` says for which devices."""
    return action in RIGHTS[role]


def allows(person: Person, action: Action) -> bool:
    """Whether the person may do this by the token in use. Whom the hub takes them for they always may ask."""
    return may(person.role, action) and not outside(person, action)


def outside(person: Person, action: Action) -> str:
    """Why this lies outside of what the token in use is narrowed to; empty where it does not."""
    if not isinstance(person, Acting):
        return ""
    if person.labels and action in _WHOLE_HUB:
        return f"{action} reaches beyond the devices with {_said(person.labels)}, which this token is for"
    if person.actions and action not in person.actions and action is not Action.HUB_SEE:
        return f"{action} is not in the scope of this token, which is {', '.join(person.actions)}"
    return ""


def roles_that_may(action: Action) -> list[Role]:
    """The roles to ask for where one is refused, in the order of the list of roles."""
    return [role for role in Role if may(role, action)]


def covers(person: Person, labels: Mapping[str, str]) -> bool:
    """Whether a device with these labels is among those of the person: an installer's are of one site.

    An installer without a site has none, and a device without the label belongs to no site.
    """
    if person.role is Role.INSTALLER and not person.site:
        return False
    return only(person).items() <= labels.items()


def only(person: Person) -> dict[str, str]:
    """The labels that each device of the person's has: an installer's site, and those of the token in use."""
    labels = dict(person.labels) if isinstance(person, Acting) else {}
    return {**labels, SITE: person.site} if person.site or person.role is Role.INSTALLER else labels


def scope_fault(person: Person, actions: Sequence[str], labels: Mapping[str, str]) -> str:
    """Why no token of this person can be narrowed so; empty where one can."""
    known = {str(action): action for action in Action}
    for name in actions:
        if name not in known:
            return f"there is no action {name[:80]!r}; there are {', '.join(known)}"
        if not may(person.role, known[name]):
            return f"{person.name} is {person.role}, which may not {name}: a scope only narrows"
        if labels and known[name] in _WHOLE_HUB:
            return (
                f"{name} reaches beyond the devices with {_said(labels)}: give a scope or labels without it"
            )
    if person.site and labels.get(SITE, person.site) != person.site:
        return f"{person.name} has the devices with the label {SITE}={person.site} alone"
    return ""


def widens(by: Person, actions: Sequence[str], labels: Mapping[str, str]) -> str:
    """How a token with this scope would do more than the one in use; empty where it would not."""
    if not isinstance(by, Acting):
        return ""
    more = [name for name in actions if name not in by.actions] if by.actions else []
    if more or (by.actions and not actions):
        return f"the token in use may {', '.join(by.actions)}, and one made by it no more"
    if not by.labels.items() <= labels.items():
        return f"the token in use is for devices with {_said(by.labels)}, and one made by it for no others"
    return ""


def _said(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))
