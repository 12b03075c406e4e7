"""What the hub asks of its database: all of one change or nothing, and audit entries in the same change."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from halocline.fleet import (
    AuditEntry,
    Certificate,
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


class Transaction(Protocol):
    """What can be read and written within one change; what one reads no other changes until its end."""

    def invite(self, digest: str) -> Invite | None:
        """The invite with that digest."""

    def put_invite(self, invite: Invite) -> None:
        """Add an invite, or replace the one with its digest."""

    def device(self, device_id: str) -> Device | None:
        """The device with that id."""

    def device_by_key(self, key: str) -> Device | None:
        """The device with that public key; a key belongs to one device for ever."""

    def devices(
        self,
        *,
        labels: dict[str, str] | None = None,
        silent_since_s: float | None = None,
        states: Collection[DeviceState] = (),
        after: str = "",
        limit: int | None = None,
    ) -> list[Device]:
        """The devices with all these labels, without contact since that time, in one of these states, by id.

        Of those behind the id `after` the first `limit`.
        """

    def count_devices(self, *, labels: dict[str, str] | None = None) -> dict[DeviceState, int]:
        """How many devices with all these labels are in each state; none of those without any."""

    def put_device(self, device: Device) -> None:
        """Add a device, with an empty twin, or replace what is known of it."""

    def touch(self, device_id: str, *, seen_s: float, boot: int) -> None:
        """Note a contact; neither the time nor the boot counter goes back."""

    def certificate(self, serial: str) -> Certificate | None:
        """The certificate with that serial number."""

    def certificates(self, device_id: str) -> list[Certificate]:
        """All that were issued to the device, oldest first."""

    def put_certificate(self, certificate: Certificate) -> None:
        """Add a certificate, or replace the one with its serial number."""

    def forget_certificates(self, device_id: str, *, ended_before_s: float) -> None:
        """Remove the device's superseded certificates that ended before that time."""

    def twin(self, device_id: str) -> Twin:
        """Desired and reported state. Raises KeyError for a device that is not there."""

    def twins(self, device_ids: Collection[str]) -> dict[str, Twin]:
        """The twins of those of these devices that are there."""

    def generations(self, device_ids: Collection[str]) -> dict[str, int]:
        """The generation of what is desired of each of these devices that is there."""

    def put_desired(self, device_id: str, desired: Desired) -> bool:
        """Set the desired state if its generation follows the stored one by one; False where it does not."""

    def put_reported(self, device_id: str, reported: Reported) -> None:
        """Replace what the device reported."""

    def person(self, name: str) -> Person | None:
        """The person with that name."""

    def people(self) -> list[Person]:
        """Everyone, by name."""

    def put_person(self, person: Person) -> None:
        """Add a person, or replace what is known of them."""

    def remove_person(self, name: str) -> None:
        """Remove a person and their tokens."""

    def token(self, digest: str) -> Token | None:
        """The token with that digest."""

    def tokens(self, person: str) -> list[Token]:
        """A person's tokens, the one that ends first first."""

    def put_token(self, token: Token) -> None:
        """Add a token."""

    def remove_token(self, digest: str) -> None:
        """Remove a token."""

    def root(self) -> str | None:
        """`sha256:…` of the newest root that this store's devices were told to trust."""

    def put_root(self, fingerprint: str) -> None:
        """Replace it."""

    def append(self, entry: AuditEntry) -> Link:
        """Put an entry at the end of this process's chain; it is there exactly if the change is."""

    def audit(self, *, after: int = 0, limit: int = 1000, chain: str | None = None) -> list[Link]:
        """Entries in the order of their numbers, by chain."""

    def newest_link(self, chain: str) -> Link | None:
        """The last entry of that chain."""


class Store(Protocol):
    """A database. Thread-safe; several processes may share it where the database lets them."""

    def change(self) -> AbstractContextManager[Transaction]:
        """All that is written within happens when the block ends, durably, or, where it raises, not at all.

        Raises Transient (HAL-703) where the database cannot be reached or is busy for too long.
        """

    def look(self) -> AbstractContextManager[Transaction]:
        """The same for reading alone; what is written within is undone."""

    def chains(self) -> Sequence[str]:
        """The names of the audit chains, one for each process that ever wrote."""

    def close(self) -> None:
        """End every connection. May be called again."""
