"""halocline hub backup: make a backup of a hub, also of one that runs."""

import time
from pathlib import Path

from halocline.cli.output import Json, print_json
from halocline.errors import HaloclineError


def backup(*, state: Path, to: Path, json: Json = False) -> int:
    """Make a backup of a hub, also of one that runs: its database at one moment, its keys and tokens.

    The hub that runs there opens an alert where it fails.
    Whoever has a backup can be this hub: keep it as you keep its keys. A database in PostgreSQL is not in it.

    Examples
    --------
    halocline hub backup --state hub --to hub-backup.tar

    Parameters
    ----------
    state
        The hub's state folder.
    to
        A file whose name ends in .tar, or a folder; not there yet.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.backup.making import make_backup
    from halocline.adapters.backup.record import note_failed, note_made

    folder, now_s = state.expanduser(), time.time()
    try:
        manifest = make_backup(folder, to.expanduser(), now_s=now_s)
    except HaloclineError as error:
        note_failed(folder, error.message, now_s=now_s)
        raise
    note_made(folder, now_s=now_s)
    if json:
        print_json(
            {
                "backup": str(to),
                "made_s": manifest.made_s,
                "files": len(manifest.files),
                "has_database": manifest.has_database,
                "has_passphrase": manifest.has_passphrase,
            }
        )
        return 0
    print(f"{to}: {len(manifest.files)} files. Whoever has them can be this hub: keep them as its keys")
    if not manifest.has_database:
        print("the database is not in it: it is no file in the state folder. Back up PostgreSQL by pg_dump")
    if not manifest.has_passphrase:
        print("the passphrase of the authority's keys is not in it: keep that, too")
    return 0
