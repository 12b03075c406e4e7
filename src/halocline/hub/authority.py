"""What the hub asks of the authority that signs the devices' certificates."""

from enum import StrEnum
from typing import Protocol

import msgspec

from halocline.fleet import Certificate


class Proven(msgspec.Struct, frozen=True):
    """A public key whose holder proved to have the private one."""

    public_key: bytes
    """SubjectPublicKeyInfo, DER."""
    key: str
    """`sha256:…` of it."""


class Rotation(StrEnum):
    """What is put in the place of what."""

    ISSUING = "issuing"
    """A new issuing authority under the same root."""
    ROOT = "root"
    """A new root beside the old one, which stays trusted."""
    RETIRE = "retire"
    """No old root any more."""


class Authority(Protocol):
    """Signs certificates for devices. Thread-safe."""

    @property
    def root_pem(self) -> str:
        """The root certificate, the newest where there are several."""

    @property
    def roots_pem(self) -> str:
        """Every root that is trusted now, the newest first."""

    @property
    def fingerprint(self) -> str:
        """`sha256:…` of the newest root certificate, DER."""

    @property
    def old_fingerprints(self) -> list[str]:
        """The same of the roots that were replaced and are trusted still, the newest first."""

    @property
    def rotating_since_s(self) -> float | None:
        """From when on certificates are under the newest root, where an older one is trusted still."""

    @property
    def nonce_key(self) -> bytes:
        """A secret that is the same in every process with this authority, for nonces alone."""

    def read_request(self, csr: str) -> Proven:
        """The key of a certificate request; nothing else in it counts. Raises Rejected (HAL-712)."""

    def issue_device(
        self, public_key: bytes, device_id: str, *, now_s: float, valid_s: float, serial: int | None = None
    ) -> tuple[str, Certificate]:
        """A certificate for a device and the issuing authority's (PEM), and what to keep of it.

        It ends no later than the issuing authority. Without `serial`, the number is random.
        """

    def has_signed(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message is one by the key's private half."""
