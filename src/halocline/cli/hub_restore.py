"""halocline hub restore: make a hub's state folder from a backup."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from halocline.cli.output import Json, print_json
from halocline.extras import need


def restore(*, source: Annotated[Path, Parameter(name="--from")], state: Path, json: Json = False) -> int:
    """Make a hub's state folder from a backup; a folder that is not empty is left as it is.

    The hub is then as it was when the backup was made: what was revoked since is let in again, and devices
    that joined since must join anew. Heads of the audit log that were kept since contradict it from then on.

    Examples
    --------
    halocline hub restore --from hub-backup.tar --state hub

    Parameters
    ----------
    source
        What `halocline hub backup` made, file or folder.
    state
        The state folder to make; not there yet, or empty.
    json
        Print one JSON object on stdout and nothing else.
    """
    need("hub", "sqlalchemy", "alembic", what="halocline hub restore")
    from halocline.adapters.backup.restoring import restore_backup
    from halocline.cli.at_hub import moment

    manifest = restore_backup(source.expanduser(), state.expanduser(), now_s=time.time())
    if json:
        print_json({"state": str(state), "made_s": manifest.made_s, "has_database": manifest.has_database})
        return 0
    print(f"{state}: the hub as it was at {moment(manifest.made_s)}")
    if manifest.has_database:
        print(
            "revoke again what was revoked since then; devices that joined since join anew\n"
            f"next: halocline hub serve --state {state}"
        )
    else:
        print("the database is not in it: restore PostgreSQL, then halocline hub serve --database URL")
    return 0
