"""halocline login: sign in to a hub, and keep how."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured, Rejected, Untrusted

if TYPE_CHECKING:
    from halocline.adapters.http.people import PeopleDoor
    from halocline.wire.people import MeReply

_TOKEN: Final = r"hct_[A-Za-z0-9_-]{43}"  # noqa: S105 - its form


def login(
    url: str,
    /,
    *,
    token: str,
    ca: Path | None = None,
    fingerprint: str | None = None,
    name: str | None = None,
    json: Json = False,
) -> int:
    """Sign in to a hub, and use it from now on.

    The hub, its authority and the token are kept in this user's configuration folder, for nobody else to
    read. Commands speak to the hub that was signed in to last, or that --hub or HALOCLINE_HUB names.

    Examples
    --------
    halocline login https://localhost:8444 --ca hub/ca.pem --token file:hub/admin.token

    Parameters
    ----------
    url
        The hub's door for people, https://HOST:8444.
    token
        Where the token is: env:NAME or file:PATH, never the token itself.
    ca
        The hub's authority (PEM); the first start of a hub writes it to ca.pem.
    fingerprint
        Instead of the file: sha256:… of the authority, as `hub status` shows it.
    name
        What to call this hub; its host by default.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.contexts import Context, keep, name_for
    from halocline.adapters.http.door import Door
    from halocline.adapters.http.people import PeopleDoor
    from halocline.adapters.http.target import read_secret
    from halocline.cli.at_hub import moment, name_in, plain

    if ca is not None and fingerprint is not None:
        raise Misconfigured("HAL-102", "--ca and --fingerprint say the same in two ways: give one of them")
    secret = read_secret(token)
    if not re.fullmatch(_TOKEN, secret):
        raise Misconfigured("HAL-105", f"--token: {token} holds no token of a hub, which begins with hct_")
    with PeopleDoor(Door(url, ca=_pem(ca), fingerprint=fingerprint, token=secret)) as hub:
        me = _asked(hub, told=ca is not None or fingerprint is not None)
        door = hub.door
        called = name_in("hub", name) if name else name_for(door.url)
        authority = (door.ca or b"").decode()
        keep(called, Context(url=door.url, token=secret, ca=authority))
    if json:
        print_json({"hub": called, "url": door.url, **plain(me)})
    else:
        print(
            f"signed in to {door.url} as {me.name} ({me.role}) until {moment(me.expires_s)}; kept as {called}"
        )
    return 0


def _asked(hub: "PeopleDoor", *, told: bool) -> "MeReply":
    """Whom the hub takes us for; the two usual slips at a first login are part of the error."""
    try:
        return hub.me()
    except (Rejected, Untrusted) as error:
        if error.code == "HAL-741":
            hint = (
                "Is this the hub's door for devices or joining? People's is 8444, where nobody said another"
            )
        elif error.code == "HAL-722" and not told:
            hint = "Give the hub's own authority: --ca hub/ca.pem, or --fingerprint"
        else:
            raise
        raise type(error)(error.code, f"{error.message}. {hint}") from None


def _pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured("HAL-108", f"--ca: {path} cannot be read ({error.strerror})") from None
