"""A hub's database in memory: changes one after another, all of each or nothing."""

import contextlib
import threading
from collections.abc import Iterator

import msgspec

from halocline.fleet import Desired, Device, Invite, Twin
from halocline.hub.store import Link


class _Tables(msgspec.Struct):
    invites: dict = msgspec.field(default_factory=dict)
    devices: dict = msgspec.field(default_factory=dict)
    twins: dict = msgspec.field(default_factory=dict)
    certificates: dict = msgspec.field(default_factory=dict)
    people: dict = msgspec.field(default_factory=dict)
    tokens: dict = msgspec.field(default_factory=dict)
    links: dict = msgspec.field(default_factory=dict)

    def copy(self) -> "_Tables":
        return _Tables(*(dict(getattr(self, name)) for name in self.__struct_fields__))


class MemoryStore:
    """Values are frozen, so that copies of the tables are enough to undo a change."""

    def __init__(self) -> None:
        self._tables = _Tables()
        self._changing = threading.RLock()

    @contextlib.contextmanager
    def change(self) -> Iterator["MemoryTransaction"]:
        with self._changing:
            tables = self._tables.copy()
            yield MemoryTransaction(tables)
            self._tables = tables

    @contextlib.contextmanager
    def look(self) -> Iterator["MemoryTransaction"]:
        with self._changing:
            yield MemoryTransaction(self._tables.copy())

    def chains(self):
        return ["memory"]

    def close(self) -> None:
        pass


class MemoryTransaction:
    def __init__(self, tables: _Tables) -> None:
        self._t = tables

    def invite(self, digest: str) -> Invite | None:
        return self._t.invites.get(digest)

    def put_invite(self, invite: Invite) -> None:
        self._t.invites[invite.digest] = invite

    def device(self, device_id: str) -> Device | None:
        return self._t.devices.get(device_id)

    def device_by_key(self, key: str) -> Device | None:
        return next((each for each in self._t.devices.values() if each.key == key), None)

    def devices(self, *, labels=None, silent_since_s=None):
        return [
            each
            for _, each in sorted(self._t.devices.items())
            if (labels or {}).items() <= each.labels.items()
            and (silent_since_s is None or each.seen_s is None or each.seen_s < silent_since_s)
        ]

    def put_device(self, device: Device) -> None:
        self._t.devices[device.id] = device
        self._t.twins.setdefault(device.id, Twin())

    def touch(self, device_id: str, *, seen_s: float, boot: int) -> None:
        known = self._t.devices[device_id]
        self._t.devices[device_id] = msgspec.structs.replace(
            known, seen_s=max(seen_s, known.seen_s or 0), boot=max(boot, known.boot)
        )

    def certificate(self, serial: str):
        return self._t.certificates.get(serial)

    def certificates(self, device_id: str):
        found = [each for each in self._t.certificates.values() if each.device == device_id]
        return sorted(found, key=lambda each: each.not_before_s)

    def put_certificate(self, certificate) -> None:
        self._t.certificates[certificate.serial] = certificate

    def twin(self, device_id: str) -> Twin:
        return self._t.twins[device_id]

    def put_desired(self, device_id: str, desired: Desired) -> bool:
        twin = self._t.twins[device_id]
        if desired.generation != twin.desired.generation + 1:
            return False
        self._t.twins[device_id] = msgspec.structs.replace(twin, desired=desired)
        return True

    def put_reported(self, device_id: str, reported) -> None:
        twin = self._t.twins[device_id]
        self._t.twins[device_id] = msgspec.structs.replace(twin, reported=reported)

    def person(self, name: str):
        return self._t.people.get(name)

    def people(self):
        return [each for _, each in sorted(self._t.people.items())]

    def put_person(self, person) -> None:
        self._t.people[person.name] = person

    def remove_person(self, name: str) -> None:
        self._t.people.pop(name, None)
        for token in self.tokens(name):
            self.remove_token(token.digest)

    def token(self, digest: str):
        return self._t.tokens.get(digest)

    def tokens(self, person: str):
        found = [each for each in self._t.tokens.values() if each.person == person]
        return sorted(found, key=lambda each: (each.expires_s, each.digest))

    def put_token(self, token) -> None:
        self._t.tokens[token.digest] = token

    def remove_token(self, digest: str) -> None:
        self._t.tokens.pop(digest, None)

    def append(self, entry) -> Link:
        number = len(self._t.links) + 1
        link = Link(chain="memory", number=number, entry=entry, previous=f"{number - 1}", digest=f"{number}")
        self._t.links[number] = link
        return link

    def audit(self, *, after: int = 0, limit: int = 1000, chain: str | None = None):
        return [each for number, each in self._t.links.items() if number > after][:limit]
