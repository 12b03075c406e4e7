"""halocline audit export: take the whole audit log of a hub away, to keep and to check it elsewhere."""

from pathlib import Path

from halocline.cli.output import Json, print_json


def export(*, to: Path, hub: str | None = None, json: Json = False) -> int:
    """Write the whole audit log of a hub into a file, JSON lines, to keep it or check it elsewhere.

    Examples
    --------
    halocline audit export --to audit.jsonl

    Parameters
    ----------
    to
        The file; one that is there is replaced once all has come.
    hub
        Another hub than the one signed in to last: its name or URL.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.audit_export import write_log
    from halocline.cli.at_hub import open_hub

    with open_hub(hub) as opened:
        entries = write_log(to, (link for _, links in opened.audit() for link in links))
    if json:
        print_json({"file": str(to), "entries": entries})
    else:
        print(
            f"{to}: {entries} entries\ncheck them: halocline audit verify {to} --head HEADS --key audit.pub"
        )
    return 0
