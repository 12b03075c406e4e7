"""What a support bundle says of this machine: versions, environment, disk, and the last lines of logs."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from halocline import __version__
from halocline.cli.support import Part

LOG_LINES: Final = 500
_LOG_BYTES: Final = 1 << 18
_JOURNAL_S: Final = 10.0
_UNITS: Final = ("halocline-agent", "halocline-hub")
_OURS: Final = ("HALOCLINE_", "OTEL_", "OMP_", "ORT_", "SSL_CERT_")


def machine_parts() -> Iterator[Part]:
    """Versions, and what of the environment changes how Halocline works."""
    packages = {each.metadata["Name"]: each.version for each in distributions()}
    yield Part(
        name="versions.json",
        about="versions of Halocline, Python, the system and all installed packages",
        content={
            "halocline": __version__,
            "python": sys.version,
            "platform": platform.platform(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "time_s": time.time(),
            "packages": dict(sorted(packages.items(), key=lambda each: each[0].lower())),
        },
    )
    ours = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(_OURS) or name.lower().endswith("_proxy")
    }
    yield Part(
        name="environment.json",
        about="variables that Halocline reads: HALOCLINE_…, OTEL_…, proxies",
        content=ours,
    )


def folder_parts(what: str, folder: Path) -> Iterator[Part]:
    """The files of a folder of state by name, size and mode, and its disk."""
    used = shutil.disk_usage(folder)
    yield Part(
        name=f"{what}/files.json",
        about="names, sizes and modes of the files in the state folder; not what is in them",
        content={
            "folder": str(folder),
            "disk": {"total_bytes": used.total, "free_bytes": used.free},
            "files": [_file(folder, path) for path in sorted(folder.rglob("*")) if path.exists()],
        },
    )


def log_parts(logs: list[Path]) -> Iterator[Part]:
    """The last lines of these files, and of the units' journals where there are some."""
    for number, path in enumerate(logs, 1):
        yield Part(
            name=f"logs/{number}-{path.name}", about=f"the last lines of {path}", content=_last_of(path)
        )
    for unit in _UNITS if shutil.which("journalctl") else ():
        text = _journal(unit)
        if text:
            yield Part(name=f"logs/{unit}.log", about=f"the last lines of the unit {unit}", content=text)


def _file(folder: Path, path: Path) -> dict[str, Any]:
    seen = path.stat()
    return {
        "path": path.relative_to(folder).as_posix(),
        "size_bytes": seen.st_size,
        "mode": f"{seen.st_mode & 0o7777:o}",
        "owner": seen.st_uid,
        "changed_s": seen.st_mtime,
    }


def _last_of(path: Path) -> str:
    """Raises OSError."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _LOG_BYTES, 0))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-LOG_LINES:]) + "\n"


def _journal(unit: str) -> str:
    command = ["journalctl", "--unit", unit, "--lines", str(LOG_LINES), "--no-pager", "--quiet"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_JOURNAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout if ended.returncode == 0 else ""
