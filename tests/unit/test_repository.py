"""The repository speaks of the project alone, stays small, and holds its own contracts."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

MAX_FILE_BYTES = 500 * 1024
# Spelled in two halves, so that this file does not hold what it forbids.
FOREIGN = [
    "/" + "work/",
    "pypi" + ".org",
    "files." + "pythonhosted",
    "registry." + "npmjs",
    "--index" + "-url",
]


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    """The files that git tracks, and those about to be added."""
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("needs git and a clone")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := root / name).is_file()]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_no_file_names_a_machine_or_a_registry(tracked: list[Path], foreign: str) -> None:
    assert not [path.name for path in tracked if foreign.encode() in path.read_bytes()]


def test_no_file_is_large(tracked: list[Path]) -> None:
    assert not [path.name for path in tracked if path.stat().st_size > MAX_FILE_BYTES]


def test_every_locked_requirement_has_a_hash(root: Path) -> None:
    for lock in (root / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
        assert entries
        assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry], lock.name


def test_the_bare_set_is_what_the_tests_ran_with(root: Path) -> None:
    pins = {
        name: set(re.findall(r"^\S+==\S+", (root / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("bare.txt", "dev.txt")
    }
    assert not pins["bare.txt"] - pins["dev.txt"]


def test_what_is_not_released_yet_has_its_place_in_the_changelog(root: Path) -> None:
    assert re.search(
        r"^## \[Unreleased\]$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_folder_and_module_has_found_its_layer(root: Path) -> None:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    placed = set(re.findall(r"halocline\.(\w+)", " ".join(layers)))
    package = root / "src" / "halocline"
    present = {
        path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert present - {"__init__", "__main__"} <= placed


def test_the_import_contracts_hold(root: Path) -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_decision_stands_in_the_list_of_decisions(root: Path) -> None:
    folder = root / "docs" / "adr"
    listed = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


def test_no_link_between_pages_is_broken(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert links
    assert not [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()]
