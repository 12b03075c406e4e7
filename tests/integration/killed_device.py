"""A device's program that ends as by kill -9 at the n-th thing that it does to its folder."""

import os
import sys
from pathlib import Path

from halocline.adapters.device_folder.folder import held
from halocline.adapters.http.hub_link import HubLink
from halocline.cli import main

CHANGES = {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "sqlite3.connect", "open"}


def die_at(folder: str, at: int) -> None:
    """Let this process end at the n-th thing that it does to the folder."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in CHANGES and any(
            isinstance(each, str | os.PathLike) and folder in str(each) for each in arguments
        ):
            count += 1
            if count == at:
                os._exit(9)

    sys.addaudithook(hook)


def join(state: Path, at: int, *words: str) -> None:
    """Run the command that joins."""
    die_at(str(state), at)
    sys.exit(main(words))


def renew(state: Path, at: int) -> None:
    """Get a new certificate."""
    die_at(str(state), at)
    with held(state) as device:
        HubLink(device).renew()
