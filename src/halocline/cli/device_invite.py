"""halocline device invite: make one string by which devices join."""

from pathlib import Path

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json


def invite(
    *,
    ttl: str = "1h",
    uses: int | None = None,
    label: Several = None,
    serials: Path | None = None,
    reason: str = "",
    hub: str | None = None,
    json: Json = False,
) -> int:
    """Make one string by which devices join; it is shown this once.

    Examples
    --------
    halocline device invite --ttl 1h --label type=cam

    Parameters
    ----------
    ttl
        How long it can be used: 30s, 10m, 1h, 30d.
    uses
        How many devices may join by it; 1, or as many as there are serials.
    label
        KEY=VALUE that the devices get; may be given again.
    serials
        A CSV file with the serial numbers that may join, each once: its column `serial`, or its only one.
    reason
        Why, for the audit log.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.at_hub import labels_in, open_hub, plain
    from halocline.cli.durations import read_duration
    from halocline.cli.serials import read_serials
    from halocline.wire.people import InviteRequest

    listed = None if serials is None else read_serials(serials)
    request = InviteRequest(
        ttl_s=read_duration("--ttl", ttl),
        uses=uses if uses is not None else len(listed or [""]),
        labels=labels_in(label),
        serials=listed,
        reason=reason,
    )
    with open_hub(hub) as opened:
        made = opened.invite(request)
    if json:
        print_json(plain(made))
    else:
        print(made.invite)
    return 0
