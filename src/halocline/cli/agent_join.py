"""`halocline agent join`: make this device one of a hub's."""

import platform
import random
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from halocline import __version__
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured
from halocline.extras import need
from halocline.fleet import Facts
from halocline.folders import agent_folder


def join(
    invite: Annotated[str | None, Parameter(show_default=False, allow_leading_hyphen=True)] = None,
    /,
    *,
    state: Path | None = None,
    hub: str | None = None,
    fingerprint: str | None = None,
    serial: str = "",
    label: Annotated[list[str] | None, Parameter(negative="")] = None,
    wait: float = 600.0,
    json: Json = False,
) -> int:
    """Join a hub, by an invite or by asking to be accepted.

    The key is made here and never leaves. Nothing is sent before the hub has shown the authority that the
    invite names; where it refuses, everything is as before.

    Parameters
    ----------
    invite
        What `halocline device invite` printed; `-` reads it from standard input.
    state
        The folder of this device's identity. Default: HALOCLINE_STATE, or a data folder of this user.
    hub
        Without an invite: the hub's joining door, https://HOST:PORT.
    fingerprint
        Without an invite: sha256:… of the hub's root certificate, as `halocline hub status` prints it.
    serial
        The device's serial number, for invites that list them.
    label
        Without an invite: KEY=VALUE that this device asks for, as in site=north; who accepts it confirms that
        or does not. May be given again.
    wait
        Seconds to wait for someone to accept this device, where that is needed.
    json
        Print one JSON object.

    Examples
    --------
    halocline agent join hc1.AAECA… --state dev1
    """
    need("agent", "cryptography", what="joining a hub")
    from halocline.adapters.device_folder.folder import held
    from halocline.adapters.http.door import read_fingerprint
    from halocline.adapters.http.joining import Wanted, join
    from halocline.cli.at_hub import labels_in
    from halocline.wire.channel import JoinReply
    from halocline.wire.invite import decode_invite

    if invite is not None and invite.startswith("-") and invite != "-":
        raise Misconfigured(
            "HAL-102", f"agent join has no option {invite[:40]}. See: halocline agent join --help"
        )
    facts = Facts(serial=serial, machine=f"{platform.machine()} {platform.system()}", agent=__version__)
    if invite is not None and label:
        raise Misconfigured("HAL-102", "an INVITE says which labels the device gets: leave out --label")
    if invite is not None and hub is None and fingerprint is None:
        invitation = decode_invite(sys.stdin.readline() if invite == "-" else invite)
        wanted = Wanted(
            url=invitation.url, fingerprint=invitation.fingerprint, secret=invitation.shown, facts=facts
        )
    elif invite is None and hub is not None and fingerprint is not None:
        wanted = Wanted(
            url=hub, fingerprint=read_fingerprint(fingerprint), facts=facts, labels=labels_in(label)
        )
    else:
        raise Misconfigured(
            "HAL-102", "give an INVITE, or both --hub URL and --fingerprint sha256:…, and not all of them"
        )

    def waits(reply: JoinReply) -> None:
        print(
            f"{reply.device} asks to join, with the code {reply.code}; someone compares it and accepts: "
            f"halocline device accept {reply.device}",
            file=sys.stderr,
        )

    with held(state or agent_folder()) as folder:
        places = join(folder, wanted, wait_s=wait, waits=waits, share=random.random)
        shown = {"device": places.device, "hub": places.channel, "state": str(folder.path)}
    if json:
        print_json(shown)
    else:
        print(f"joined {places.join} as {places.device}\nnext: halocline agent run --state {shown['state']}")
    return 0
