"""An invite as one string: where to join, which authority to trust, and the secret that lets a device in."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import urlsplit

import msgspec

from halocline.errors import Rejected

_MARK: Final = "hc1."
_ANY_MARK: Final = re.compile(r"hc([0-9]+)\.")
_SECRET_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 2
_CHECK_BYTES: Final = 4
MAX_INVITE_CHARS: Final = 4096


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What an invite holds."""

    url: str
    """The joining door, https://HOST:PORT."""
    fingerprint: str
    """`sha256:…` of the root authority's certificate."""
    secret: bytes

    @property
    def shown(self) -> str:
        """The secret as a JoinRequest carries it."""
        return urlsafe_b64encode(self.secret).decode()


def encode_invite(invitation: Invitation) -> str:
    """The string: a mark, then base64url of length, content and checksum."""
    digest = bytes.fromhex(invitation.fingerprint.removeprefix("sha256:"))
    content = msgspec.msgpack.encode((invitation.url, digest, invitation.secret))
    data = len(content).to_bytes(_LENGTH_BYTES, "big") + content
    return _MARK + urlsafe_b64encode(data + _checksum(data)).decode().rstrip("=")


def decode_invite(text: str) -> Invitation:
    """What the string holds; blanks and line ends that a terminal put in are passed over.

    Raises Rejected (HAL-711), which tells half an invite, a mistyped one, and one of another version apart.
    """
    joined = "".join(text.split())
    if len(joined) > MAX_INVITE_CHARS:
        raise _refused(f"it has {len(joined)} characters, no invite has more than {MAX_INVITE_CHARS}")
    mark = _ANY_MARK.match(joined)
    if mark is None:
        raise _refused(f"an invite begins with {_MARK}, this text with {joined[:8]!r}")
    if mark[0] != _MARK:
        raise _refused(f"it has version {mark[1][:8]}, this halocline reads 1. Install the newer one")
    try:
        content, digest, secret = msgspec.msgpack.decode(
            _content(joined[len(_MARK) :]), type=tuple[str, bytes, bytes]
        )
    except msgspec.DecodeError as error:
        raise _refused(f"its content is none ({error})") from None
    _check(content, digest, secret)
    return Invitation(url=content, fingerprint=f"sha256:{digest.hex()}", secret=secret)


def _content(text: str) -> bytes:
    """What stands between length and checksum."""
    whole = len(text) - len(text) % 4 if len(text) % 4 == 1 else len(text)  # one letter more is part of none
    try:
        data = urlsafe_b64decode(text[:whole] + "=" * (-whole % 4))
    except ValueError:
        raise _refused("it holds a character that no invite has. It was mistyped") from None
    stated = int.from_bytes(data[:_LENGTH_BYTES], "big") + _LENGTH_BYTES + _CHECK_BYTES
    expected = -(-stated * 4 // 3)
    if len(text) < expected:
        raise _refused(f"{len(text) + len(_MARK)} of its {expected + len(_MARK)} characters are here")
    if len(text) > expected:
        raise _refused(f"it goes on after its {expected + len(_MARK)} characters")
    if (
        urlsafe_b64encode(data).decode().rstrip("=") != text
        or _checksum(data[:-_CHECK_BYTES]) != (data[-_CHECK_BYTES:])
    ):
        raise _refused("its checksum is wrong: a character was mistyped or lost")
    return data[_LENGTH_BYTES:-_CHECK_BYTES]


def _check(url: str, digest: bytes, secret: bytes) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or not url.isprintable():
        raise _refused(f"it leads to {url[:80]!r}, not to https://HOST:PORT")
    if len(digest) != _DIGEST_BYTES or len(secret) != _SECRET_BYTES:
        raise _refused("its fingerprint or its secret has the wrong length")


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(_MARK.encode() + data).digest()[:_CHECK_BYTES]


def _refused(why: str) -> Rejected:
    return Rejected(
        "HAL-711", f"the invite cannot be read: {why}. Copy the whole line of: halocline device invite"
    )
