"""halocline support bundle: one file for who helps, without secrets."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from halocline.cli.at_hub import Several
from halocline.cli.output import Json, print_json
from halocline.cli.support import Part
from halocline.errors import HaloclineError, Misconfigured
from halocline.extras import need
from halocline.folders import agent_folder

NOT_IN_IT: Final = (
    "private keys, tokens, invites, passphrases, webhooks and passwords in URLs: taken out where seen",
    "samples, model files, and the content of files in the state folder",
    "rows of the database: devices and people by name, labels, and the audit log",
)


def bundle(
    *,
    out: Path,
    state: Path | None = None,
    config: Path | None = None,
    database: str | None = None,
    log: Several = None,
    timeout_s: float = 5.0,
    json: Json = False,
) -> int:
    """Collect what helps others to help, on a device or at a hub, in one file without secrets.

    What goes in is listed before it is written, and what was left out is said. Nothing is sent anywhere.
    Open the file and look before you give it away.

    Examples
    --------
    halocline support bundle --state hub --out support.zip

    Parameters
    ----------
    out
        The file to write, as in support.zip; not there yet.
    state
        The state folder of a device or of a hub: it is seen which. Default: this user's device, where
        there is one.
    config
        The agent's configuration.
    database
        The hub's, where it is not in its state folder: postgresql://…
    log
        A file with log lines of an agent or a hub; may be given again. The journals of the units
        halocline-agent and halocline-hub are looked for.
    timeout_s
        Seconds that each look at a server may take.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.cli.support.redact import Redactor
    from halocline.cli.support.secrets import known_secrets
    from halocline.cli.support.writing import freed, write_bundle

    if os.path.lexists(out):
        raise Misconfigured("HAL-796", f"--out {out} is there already. Give a file that is not")
    folder = _folder(state)
    parts = list(_parts(folder, config, database, [Path(each) for each in log or ()], timeout_s))
    folders = [] if folder is None else [folder]
    known = [*known_secrets(folders, config), *_password_of(database)]
    redactor = Redactor(known)
    files = freed(parts, redactor)
    left_out = [*NOT_IN_IT, *_missing(folder, parts)]
    contents = _contents(parts, files, left_out, redactor.count)
    if not json:
        print(contents, end="")
    write_bundle(out, {"contents.txt": contents.encode(), **files})
    if json:
        print_json(
            {
                "bundle": str(out),
                "files": {name: len(data) for name, data in files.items()},
                "left_out": left_out,
                "redacted": redactor.count,
            }
        )
    else:
        print(f"written to {out}; look at it before you give it away")
    return 0


def _missing(folder: Path | None, parts: list[Part]) -> Iterator[str]:
    """What would help, and is not here."""
    if folder is None:
        yield "a device or a hub: none is here, or --state was not given"
    if not any(part.name.startswith("logs/") for part in parts):
        yield "log lines: no --log was given, and no unit of ours has a journal here"


def _folder(state: Path | None) -> Path | None:
    """What there is to look at. Raises Misconfigured (HAL-797) where a folder is named that is neither."""
    from halocline.cli.checks.hub_state import is_hub
    from halocline.cli.support.device import is_device

    folder = (state or agent_folder()).expanduser()
    if is_hub(folder) or is_device(folder):
        return folder
    if state is not None:
        raise Misconfigured(
            "HAL-797",
            f"{state} is the state folder of no device and of no hub. Give that of agent run or of hub serve",
        )
    return None


def _parts(
    folder: Path | None, config: Path | None, database: str | None, logs: list[Path], timeout_s: float
) -> Iterator[Part]:
    from halocline.cli.checks.hub_state import is_hub
    from halocline.cli.support.device import configuration_part, device_parts
    from halocline.cli.support.machine import folder_parts, log_parts, machine_parts

    yield from machine_parts()
    if folder is not None and is_hub(folder):
        need("hub", "cryptography", "sqlalchemy", "alembic", what="a hub's state")
        from halocline.cli.support.hub import hub_parts

        yield from folder_parts("hub", folder)
        yield from hub_parts(folder, database)
    elif folder is not None:
        need("agent", "cryptography", what="a device's identity")
        yield from folder_parts("device", folder)
        yield from device_parts(folder)
    if config is not None:
        yield configuration_part(config)
    try:
        yield from log_parts(logs)
    except OSError as error:
        raise Misconfigured("HAL-798", f"--log {error.filename} cannot be read: {error.strerror}") from None
    yield Part(
        name="doctor.json", about="what halocline doctor says", content=_doctor(folder, config, timeout_s)
    )


def _doctor(folder: Path | None, config: Path | None, timeout_s: float) -> Any:
    from halocline.cli.checks.hub_state import PORTS, is_hub
    from halocline.cli.checks.machine import check_machine
    from halocline.cli.doctor import Here, ends

    at_hub = folder is not None and is_hub(folder)
    here = Here(
        state=None if at_hub else folder,
        config=None if at_hub else config,
        hub_state=folder if at_hub else None,
        ports=PORTS,
    )
    checks = list(check_machine())
    try:
        checks += ends(here, timeout_s)
    except HaloclineError as error:
        return {"checks": checks, "error": str(error)}
    return {"checks": checks}


def _password_of(database: str | None) -> Iterator[str]:
    from urllib.parse import unquote, urlsplit

    password = urlsplit(database or "").password
    if password:
        yield from (password, unquote(password))


def _contents(parts: list[Part], files: dict[str, bytes], left_out: list[str], redacted: int) -> str:
    """What is in it and what is not, as people read it first."""
    width = max(map(len, files))
    lines = ["what goes in:"]
    for part, (name, data) in zip(parts, files.items(), strict=True):
        lines.append(f"  {name:<{width}}  {len(data):>7} bytes  {part.about}")
    lines += ["what is left out:", *(f"  {each}" for each in left_out)]
    return "\n".join([*lines, f"secrets taken out: {redacted}"]) + "\n"
