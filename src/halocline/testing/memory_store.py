"""A store in memory, for tests of what stands on the store port: changes are whole, and one at a time."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from halocline.decide import audit_chain
from halocline.errors import Rejected
from halocline.fleet import (
    AuditEntry,
    Certificate,
    CertificateState,
    Desired,
    Device,
    DeviceState,
    Invite,
    Link,
    Person,
    Reported,
    Token,
    Twin,
)
from halocline.hub.store import Transaction


class Tables(msgspec.Struct):
    """All that is kept; values are frozen, so a copy of the tables is a copy of all."""

    invites: dict[str, Invite] = msgspec.field(default_factory=dict)
    devices: dict[str, Device] = msgspec.field(default_factory=dict)
    certificates: dict[str, Certificate] = msgspec.field(default_factory=dict)
    twins: dict[str, Twin] = msgspec.field(default_factory=dict)
    people: dict[str, Person] = msgspec.field(default_factory=dict)
    tokens: dict[str, Token] = msgspec.field(default_factory=dict)
    links: list[Link] = msgspec.field(default_factory=list)
    root: str | None = None

    def copy(self) -> "Tables":
        """The same, apart from it."""
        return Tables(
            invites=dict(self.invites),
            devices=dict(self.devices),
            certificates=dict(self.certificates),
            twins=dict(self.twins),
            people=dict(self.people),
            tokens=dict(self.tokens),
            links=list(self.links),
            root=self.root,
        )


class MemoryStore:
    """Keeps nothing beyond its process. `on_write` hears of each write and of the `commit`; it may raise."""

    def __init__(self, *, chain: str = "memory", on_write: Callable[[str], None] = lambda _: None) -> None:
        self._tables = Tables()
        self._lock = threading.Lock()
        self._chain = chain
        self._on_write = on_write

    @contextmanager
    def change(self) -> Iterator[Transaction]:
        """All that is written within happens when the block ends, or, where it raises, not at all."""
        with self._lock:
            tables = self._tables.copy()
            yield MemoryTransaction(tables, self._chain, self._on_write)
            self._on_write("commit")
            self._tables = tables

    @contextmanager
    def look(self) -> Iterator[Transaction]:
        """The same for reading alone; what is written within is undone."""
        with self._lock:
            yield MemoryTransaction(self._tables.copy(), self._chain, lambda _: None)

    def chains(self) -> Sequence[str]:
        """The one chain, once it has a link."""
        return [self._chain] if self._tables.links else []

    def close(self) -> None:
        """Nothing to end."""


class MemoryTransaction:
    """One change to copied tables."""

    def __init__(self, tables: Tables, chain: str, on_write: Callable[[str], None]) -> None:
        self._tables = tables
        self._chain = chain
        self._on_write = on_write

    def invite(self, digest: str) -> Invite | None:
        """The invite with that digest."""
        return self._tables.invites.get(digest)

    def put_invite(self, invite: Invite) -> None:
        """Add an invite, or replace the one with its digest."""
        self._on_write("invite")
        self._tables.invites[invite.digest] = invite

    def device(self, device_id: str) -> Device | None:
        """The device with that id."""
        return self._tables.devices.get(device_id)

    def device_by_key(self, key: str) -> Device | None:
        """The device with that public key."""
        return next((one for one in self._tables.devices.values() if one.key == key), None)

    def devices(
        self,
        *,
        labels: dict[str, str] | None = None,
        silent_since_s: float | None = None,
        states: Collection[DeviceState] = (),
        after: str = "",
        limit: int | None = None,
    ) -> list[Device]:
        """The devices that are asked for, by id."""
        return [
            one
            for _, one in sorted(self._tables.devices.items())
            if (labels or {}).items() <= one.labels.items()
            and (silent_since_s is None or one.seen_s is None or one.seen_s <= silent_since_s)
            and (not states or one.state in states)
            and one.id > after
        ][:limit]

    def count_devices(self, *, labels: dict[str, str] | None = None) -> dict[DeviceState, int]:
        """How many devices with all these labels are in each state."""
        return dict(Counter(one.state for one in self.devices(labels=labels)))

    def put_device(self, device: Device) -> None:
        """Add a device, with an empty twin, or replace what is known of it."""
        self._on_write("device")
        same_key = self.device_by_key(device.key)
        if same_key is not None and same_key.id != device.id:
            raise Rejected("HAL-704", f"the key of {device.id} belongs to {same_key.id} already")
        self._tables.devices[device.id] = device
        self._tables.twins.setdefault(device.id, Twin())

    def touch(self, device_id: str, *, seen_s: float, boot: int) -> None:
        """Note a contact; neither the time nor the boot counter goes back."""
        self._on_write("touch")
        device = self._tables.devices.get(device_id)
        if device is None:
            return
        self._tables.devices[device_id] = msgspec.structs.replace(
            device, seen_s=max(seen_s, device.seen_s or seen_s), boot=max(boot, device.boot)
        )

    def certificate(self, serial: str) -> Certificate | None:
        """The certificate with that serial number."""
        return self._tables.certificates.get(serial)

    def certificates(self, device_id: str) -> list[Certificate]:
        """All that were issued to the device, oldest first."""
        return [one for one in self._tables.certificates.values() if one.device == device_id]

    def put_certificate(self, certificate: Certificate) -> None:
        """Add a certificate, or replace the one with its serial number."""
        self._on_write("certificate")
        self._tables.certificates[certificate.serial] = certificate

    def forget_certificates(self, device_id: str, *, ended_before_s: float) -> None:
        """Remove the device's superseded certificates that ended before that time."""
        self._on_write("certificate")
        self._tables.certificates = {
            serial: one
            for serial, one in self._tables.certificates.items()
            if one.device != device_id
            or one.state is not CertificateState.SUPERSEDED
            or one.not_after_s >= ended_before_s
        }

    def twin(self, device_id: str) -> Twin:
        """Desired and reported state. Raises KeyError for a device that is not there."""
        return self._tables.twins[device_id]

    def twins(self, device_ids: Collection[str]) -> dict[str, Twin]:
        """The twins of those of these devices that are there."""
        return {each: self._tables.twins[each] for each in device_ids if each in self._tables.twins}

    def generations(self, device_ids: Collection[str]) -> dict[str, int]:
        """The generation of what is desired of each of these devices that is there."""
        twins = self._tables.twins
        return {each: twins[each].desired.generation for each in device_ids if each in twins}

    def put_desired(self, device_id: str, desired: Desired) -> bool:
        """Set the desired state if its generation follows the stored one by one."""
        self._on_write("desired")
        twin = self._tables.twins.get(device_id)
        if twin is None or desired.generation != twin.desired.generation + 1:
            return False
        self._tables.twins[device_id] = msgspec.structs.replace(twin, desired=desired)
        return True

    def put_reported(self, device_id: str, reported: Reported) -> None:
        """Replace what the device reported."""
        self._on_write("reported")
        twin = self._tables.twins[device_id]
        self._tables.twins[device_id] = msgspec.structs.replace(twin, reported=reported)

    def person(self, name: str) -> Person | None:
        """The person with that name."""
        return self._tables.people.get(name)

    def people(self) -> list[Person]:
        """Everyone, by name."""
        return [one for _, one in sorted(self._tables.people.items())]

    def put_person(self, person: Person) -> None:
        """Add a person, or replace what is known of them."""
        self._on_write("person")
        self._tables.people[person.name] = person

    def remove_person(self, name: str) -> None:
        """Remove a person and their tokens."""
        self._on_write("person")
        self._tables.people.pop(name, None)
        kept = {digest: one for digest, one in self._tables.tokens.items() if one.person != name}
        self._tables.tokens = kept

    def token(self, digest: str) -> Token | None:
        """The token with that digest."""
        return self._tables.tokens.get(digest)

    def tokens(self, person: str) -> list[Token]:
        """A person's tokens, the one that ends first first."""
        theirs = [one for one in self._tables.tokens.values() if one.person == person]
        return sorted(theirs, key=lambda one: (one.expires_s, one.digest))

    def put_token(self, token: Token) -> None:
        """Add a token."""
        self._on_write("token")
        self._tables.tokens[token.digest] = token

    def remove_token(self, digest: str) -> None:
        """Remove a token."""
        self._on_write("token")
        self._tables.tokens.pop(digest, None)

    def root(self) -> str | None:
        """The newest root that devices were told to trust."""
        return self._tables.root

    def put_root(self, fingerprint: str) -> None:
        """Replace it."""
        self._on_write("root")
        self._tables.root = fingerprint

    def append(self, entry: AuditEntry) -> Link:
        """Put an entry at the end of the chain."""
        self._on_write("audit")
        links = self._tables.links
        link = audit_chain.link(self._chain, links[-1] if links else None, entry)
        links.append(link)
        return link

    def audit(self, *, after: int = 0, limit: int = 1000, chain: str | None = None) -> list[Link]:
        """Entries in the order of their numbers."""
        if chain not in (None, self._chain):
            return []
        return self._tables.links[after : after + limit]

    def newest_link(self, chain: str) -> Link | None:
        """The last entry of that chain."""
        links = self._tables.links
        return links[-1] if links and chain == self._chain else None
