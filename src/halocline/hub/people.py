"""Who may act at a hub: people, the tokens they act by, and what each may ask for."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

from halocline.decide.rights import (
    RIGHTS,
    Action,
    allows,
    covers,
    may,
    only,
    outside,
    roles_that_may,
    scope_fault,
    widens,
)
from halocline.errors import Rejected, Untrusted
from halocline.fleet import Acting, AuditEntry, Person, Role, Token
from halocline.hub.naming import check_labels, check_name
from halocline.hub.store import Store, Transaction

PREFIX: Final = "hct_"
"""A token begins so, that people and scanners of secrets recognise one."""
SECRET_BYTES: Final = 32
MAX_VALID_S: Final = 3653 * 86_400.0
"""Ten years."""
FIRST_VALID_S: Final = 365 * 86_400.0
MAX_REASON_CHARS: Final = 500


def actor_of(person: Person) -> str:
    """A person, as the audit log has them."""
    return f"person:{person.name}"


def _text_of(secret: bytes) -> str:
    """The token of these random bytes."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a token is made of {SECRET_BYTES} random bytes, not {len(secret)}")
    return PREFIX + urlsafe_b64encode(secret).decode().rstrip("=")


def digest_of(token: str) -> str:
    """`sha256:…` of a token: all that the hub keeps of it, and enough for 256 random bits."""
    return f"sha256:{sha256(token.encode()).hexdigest()}"


def authenticate(store: Store, token: str, now_s: float) -> tuple[Person, Token]:
    """Whose token this is (an `Acting` where it narrows them), and the token. Raises Untrusted (HAL-751)."""
    if not token.startswith(PREFIX):
        raise Untrusted("HAL-751", f"a hub's token, which begins with {PREFIX}, was expected as Bearer")
    digest = digest_of(token)
    with store.look() as tx:
        known = tx.token(digest)
        person = None if known is None else tx.person(known.person)
    if known is None or person is None or not hmac.compare_digest(known.digest, digest):
        raise Untrusted(
            "HAL-751", "the hub does not know this token. Was it revoked, or is it another hub's?"
        )
    if now_s >= known.expires_s:
        raise Untrusted("HAL-751", f"the token of {person.name} has ended. An admin makes a new one")
    return _narrowed(person, known), known


def _narrowed(person: Person, token: Token) -> Person:
    if not token.actions and not token.labels:
        return person
    return Acting(
        name=person.name,
        role=person.role,
        site=person.site,
        actions=token.actions,
        labels=token.labels,
    )


def demand(
    store: Store,
    person: Person,
    action: Action,
    *,
    now_s: float,
    object: str = "",  # noqa: A002 - the audit log's word
    labels: Mapping[str, str] | None = None,
) -> None:
    """Return where the person may do this, to a device with these labels where they are given.

    Raises Untrusted (HAL-752), and the audit log has the refusal.
    """
    if not may(person.role, action):
        wanted = ", ".join(roles_that_may(action))
        why = f"{action} needs the role {wanted}; {person.name} is {person.role}"
    elif why := outside(person, action):
        pass
    elif labels is not None and not covers(person, labels):
        needed = ", ".join(f"{name}={value or '(none)'}" for name, value in only(person).items())
        why = f"{person.name} has the devices with the label {needed} alone"
    else:
        return
    with store.change() as tx:
        _note(tx, person, action, object, reason=why, now_s=now_s, outcome="refused")
    raise Untrusted("HAL-752", why)


def first_admin(
    store: Store,
    secret: bytes,
    *,
    now_s: float,
    name: str = "admin",
    keep: Callable[[str], None] = lambda token: None,
) -> str | None:
    """A token for an admin where the hub knows nobody yet, shown this once; None where it does.

    `keep` has it before the hub does: whoever is killed in between makes another at the next start.
    """
    with store.change() as tx:
        if tx.people():
            return None
        admin = Person(name=name, role=Role.ADMIN)
        tx.put_person(admin)
        token = _add_token(tx, name, FIRST_VALID_S, secret, now_s)[0]
        keep(token)
        tx.append(
            AuditEntry(at_s=now_s, actor="hub", action="user.add", object=name, details={"role": "admin"})
        )
        return token


def add_person(store: Store, person: Person, *, by: Person, reason: str, now_s: float) -> None:
    """Let someone in, without a token yet. Raises Rejected (HAL-102, HAL-754)."""
    check_name("person", person.name)
    if person.site:
        check_name("site", person.site)
    if (person.role is Role.INSTALLER) != bool(person.site):
        raise Rejected(
            "HAL-754", "an installer has one site, and no other role has any: --role installer --site SITE"
        )
    with store.change() as tx:
        if tx.person(person.name) is not None:
            raise Rejected("HAL-754", f"there is a {person.name} already. See: halocline user list")
        tx.put_person(person)
        details = {"role": str(person.role), "site": person.site}
        _note(tx, by, "user.add", person.name, reason=reason, now_s=now_s, details=details)


def remove_person(store: Store, name: str, *, by: Person, reason: str, now_s: float) -> Person:
    """Send someone away with all their tokens; who it was. Raises Rejected (HAL-753, HAL-754)."""
    with store.change() as tx:
        person = _known(tx, name)
        admins = [each for each in tx.people() if each.role is Role.ADMIN]
        if admins == [person]:
            raise Rejected("HAL-754", f"{name} is the only admin: add another one first")
        tx.remove_person(name)
        _note(tx, by, "user.remove", name, reason=reason, now_s=now_s)
        return person


def everyone(store: Store) -> list[Person]:
    """Everyone who may use the hub, by name."""
    with store.look() as tx:
        return tx.people()


def create_token(
    store: Store,
    name: str,
    valid_s: float,
    secret: bytes,
    *,
    by: Person,
    by_token: Token,
    reason: str,
    now_s: float,
    actions: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> tuple[str, Token]:
    """A new token of a person, shown this once, and what the hub keeps of it.

    One's own must end no later than the one in use, or a stolen token would renew itself for ever; those
    who manage people make longer ones. `actions` and `labels` narrow it; without them it is as narrow as
    the one in use, and never broader. Raises Rejected (HAL-101, HAL-102, HAL-753, HAL-786), Untrusted
    (HAL-752).
    """
    if not 1 <= valid_s <= MAX_VALID_S:
        raise Rejected("HAL-101", f"a token is valid for 1 s to {MAX_VALID_S:g} s, got {valid_s:g}")
    if not allows(by, Action.PEOPLE_MANAGE):
        left_s = by_token.expires_s - now_s
        if name != by.name:
            demand(store, by, Action.PEOPLE_MANAGE, now_s=now_s, object=name)
        if valid_s > left_s:
            raise Rejected(
                "HAL-101",
                f"your own token ends in {left_s:.0f} s, and one made by it no later: "
                f"--ttl {left_s:.0f}s, or ask an admin",
            )
    with store.look() as tx:
        narrow = _scope(_known(tx, name), by, actions, labels or {})
    _demand_no_wider(store, by, name, narrow, now_s)
    with store.change() as tx:
        _known(tx, name)
        text, token = _add_token(tx, name, valid_s, secret, now_s, narrow)
        details: dict[str, Any] = {"token": token.digest, "expires_s": token.expires_s}
        if token.actions:
            details["actions"] = list(token.actions)
        if token.labels:
            details["labels"] = token.labels
        _note(tx, by, "token.create", name, reason=reason, now_s=now_s, details=details)
        return text, token


def tokens_of(store: Store, name: str | None, *, by: Person, now_s: float) -> list[Token]:
    """The tokens of a person, or everyone's where none is named.

    Raises Untrusted (HAL-752), Rejected (HAL-753).
    """
    if name != by.name:
        demand(store, by, Action.PEOPLE_MANAGE, now_s=now_s, object=name or "")
    with store.look() as tx:
        names = [person.name for person in tx.people()] if name is None else [_known(tx, name).name]
        return [token for each in names for token in tx.tokens(each)]


def revoke_token(store: Store, digest: str, *, by: Person, reason: str, now_s: float) -> Token:
    """End the token whose digest begins so; one's own, or anyone's for those who manage people.

    Raises Rejected (HAL-753) where none or several do: others' tokens are as if they were not there.
    """
    with store.change() as tx:
        manages = allows(by, Action.PEOPLE_MANAGE)
        names = [person.name for person in tx.people()] if manages else [by.name]
        found = [t for name in names for t in tx.tokens(name) if t.digest.startswith(digest)]
        if len(found) != 1:
            many = "several tokens begin" if found else "no token begins"
            raise Rejected("HAL-753", f"{many} with {digest}. See: halocline token list")
        tx.remove_token(found[0].digest)
        details = {"token": found[0].digest}
        _note(tx, by, "token.revoke", found[0].person, reason=reason, now_s=now_s, details=details)
        return found[0]


_Scope: TypeAlias = tuple[tuple[str, ...], dict[str, str]]
_NO_SCOPE: Final[_Scope] = ((), {})


def _scope(person: Person, by: Person, actions: Sequence[str], labels: Mapping[str, str]) -> _Scope:
    """What the new token is narrowed to: as asked, else as the one in use. Raises Rejected (HAL-786)."""
    given = tuple(dict.fromkeys(actions))
    both = dict(labels)
    if isinstance(by, Acting):
        given = given or tuple(name for name in by.actions if name in RIGHTS[person.role])
        both = {**by.labels, **labels}
    check_labels(both)
    fault = scope_fault(person, given, both)
    if fault:
        raise Rejected("HAL-786", fault)
    return given, both


def _demand_no_wider(store: Store, by: Person, name: str, scope: _Scope, now_s: float) -> None:
    """Raise Untrusted (HAL-752), and write it down, where the token would do more than the one in use."""
    why = widens(by, *scope)
    if not why:
        return
    with store.change() as tx:
        _note(tx, by, "token.create", name, reason=why, now_s=now_s, outcome="refused")
    raise Untrusted("HAL-752", why)


def _add_token(
    tx: Transaction, name: str, valid_s: float, secret: bytes, now_s: float, scope: _Scope = _NO_SCOPE
) -> tuple[str, Token]:
    text = _text_of(secret)
    actions, labels = scope
    token = Token(
        digest=digest_of(text),
        person=name,
        created_s=now_s,
        expires_s=now_s + valid_s,
        actions=actions,
        labels=labels,
    )
    tx.put_token(token)
    return text, token


def _known(tx: Transaction, name: str) -> Person:
    person = tx.person(name)
    if person is None:
        raise Rejected("HAL-753", f"nobody here is called {name[:63]!r}. See: halocline user list")
    return person


def _note(
    tx: Transaction,
    by: Person,
    action: str,
    object: str,  # noqa: A002 - the audit log's word
    *,
    reason: str,
    now_s: float,
    outcome: str = "done",
    details: dict[str, Any] | None = None,
) -> None:
    tx.append(
        AuditEntry(
            at_s=now_s,
            actor=actor_of(by),
            action=action,
            object=object,
            outcome=outcome,
            reason=reason[:MAX_REASON_CHARS],
            details=details or {},
        )
    )
