"""halocline whoami: say which hub this is, and whom it takes you for."""

from halocline.cli.output import Json, print_json, print_pairs


def whoami(*, hub: str | None = None, json: Json = False) -> int:
    """Say which hub the commands speak to, and whom it takes you for.

    Examples
    --------
    halocline whoami

    Parameters
    ----------
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import moment, open_hub, plain, scope_said

    with open_hub(hub) as opened:
        me = opened.me()
        url = opened.door.url
    if json:
        print_json({"url": url, **plain(me)})
    else:
        site = [("site", me.site)] if me.site else []
        scope = scope_said(me.actions, me.labels)
        print_pairs(
            [
                ("hub", url),
                ("name", me.name),
                ("role", str(me.role)),
                *site,
                *([("scope", scope)] if scope else []),
                ("until", moment(me.expires_s)),
            ]
        )
    return 0
