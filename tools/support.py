"""Ask the package index on which systems every locked dependency has a wheel; print it as a table.

The support matrix of the README is this table. Run by hand (`make support`): the answer changes when
the locked requirements do.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux x86-64, glibc 2.28 or newer": "x86_64-manylinux_2_28",
    "Linux ARM64, glibc 2.28 or newer": "aarch64-manylinux_2_28",
    "macOS 14 or newer, Apple silicon": "aarch64-apple-darwin",
    "macOS 14 or newer, Intel": "x86_64-apple-darwin",
    "Linux x86-64, older glibc": "x86_64-manylinux_2_17",
    "Linux x86-64, musl": "x86_64-unknown-linux-musl",
    "Windows x86-64": "x86_64-pc-windows-msvc",
}
SETS: dict[str, list[str]] = {"bare": [], "serve": ["--extra", "serve"], "demo": ["--extra", "demo"]}


def main() -> None:
    """Print one row a platform: for each set, the Python versions for which everything has wheels."""
    print("| platform |", " | ".join(SETS), "|")
    print("| --- |" + " --- |" * len(SETS))
    for name, platform in PLATFORMS.items():
        print(f"| {name} |", " | ".join(pythons(platform, words) for words in SETS.values()), "|", flush=True)


def pythons(platform: str, extras: list[str]) -> str:
    """The Python versions that can install the set there, or no."""
    return ", ".join(python for python in PYTHONS if has_wheels(platform, python, extras)) or "no"


def has_wheels(platform: str, python: str, extras: list[str]) -> bool:
    """True where the locked versions can be installed there without a compiler."""
    command = [UV, "pip", "compile", "-q", "--only-binary", ":all:", "-c", ROOT / "requirements/dev.txt"]
    command += ["--python-platform", platform, "--python-version", python, ROOT / "pyproject.toml", *extras]
    here = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=here, capture_output=True, text=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
