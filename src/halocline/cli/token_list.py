"""halocline token list: list tokens, of which the hub knows the digest alone."""

from typing import Annotated

from cyclopts import Parameter

from halocline.cli.output import Json, print_json, print_table
from halocline.errors import Misconfigured


def list(  # noqa: A001 - named as its command
    *,
    user: str = "",
    everyone: Annotated[bool, Parameter(name="--all", negative="")] = False,
    hub: str | None = None,
    json: Json = False,
) -> int:
    """List one's tokens, or another person's, or all; the hub knows the digest alone.

    Examples
    --------
    halocline token list

    Parameters
    ----------
    user
        Whose (admin); one's own by default.
    everyone
        Those of all people (admin).
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import moment, name_in, open_hub, plain, scope_said

    if user and everyone:
        raise Misconfigured("HAL-102", "give --user or --all, not both")
    whose = "*" if everyone else name_in("person", user) if user else ""
    with open_hub(hub) as opened:
        tokens = opened.tokens(whose).tokens
    if json:
        print_json({"tokens": [plain(each) for each in tokens]})
    else:
        rows = [
            [
                each.digest[:19],
                each.person,
                moment(each.created_s),
                moment(each.expires_s),
                scope_said(each.actions, each.labels),
            ]
            for each in tokens
        ]
        print_table(["token", "user", "made", "until", "scope"], rows)
    return 0
