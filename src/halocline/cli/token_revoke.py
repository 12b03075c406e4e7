"""halocline token revoke: end a token."""

import re

from halocline.cli.output import Json, print_json
from halocline.errors import Rejected


def revoke(token: str, /, *, reason: str = "", hub: str | None = None, json: Json = False) -> int:
    """End a token, at once.

    Examples
    --------
    halocline token revoke sha256:0123456789ab --reason lost

    Parameters
    ----------
    token
        Its digest as token list shows it, or a start of it; never the token itself.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import open_hub, plain

    if not re.fullmatch(r"sha256:[0-9a-f]{8,64}", token):
        raise Rejected(
            "HAL-102",
            "a token is named by its digest, sha256: and 8 digits or more. See: halocline token list",
        )
    with open_hub(hub) as opened:
        told = opened.revoke_token(token, reason=reason)
    if json:
        print_json(plain(told.known))
    else:
        print(f"a token of {told.known.person} has ended")
    return 0
