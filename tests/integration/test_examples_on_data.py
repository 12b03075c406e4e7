"""The examples on data: small made samples anywhere, the real sets where they lie beside the repository."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

# Example, the real set's folder, and how much the edge alone is right on it at least, in percent.
EXAMPLES = [
    ("retail_photos", "fashion_mnist", 75.0),
    ("spoken_digits", "fsdd", 80.0),
    ("heart_beats", "mitbih_beats", 90.0),
    ("machine_temperature", "nab", 88.0),
]
NAMES = [name for name, _, _ in EXAMPLES]


def ran(root: Path, name: str, *arguments: str | Path, cwd: Path) -> dict[str, tuple[float, float]]:
    """Of each mode, how many percent were right and how many went up."""
    command = [sys.executable, root / "examples" / f"{name}.py", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "an example that warns is none"
    told = {}
    for line in done.stdout.splitlines():
        if line.startswith(("edge_only", "cloud_only", "prefer_edge")):
            right, *_, up = re.findall(r"([\d.]+)%", line)
            told[line.split()[0]] = (float(right), float(up))
    assert list(told) == ["edge_only", "cloud_only", "prefer_edge"], done.stdout
    return told


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_stands_alone(root: Path, name: str) -> None:
    text = (root / "examples" / f"{name}.py").read_text()
    assert len(text.splitlines()) < 40
    imported = re.findall(r"^(?:from|import) (\S+)", text, re.MULTILINE)
    assert {each.split(".")[0] for each in imported} <= {"halocline", "sys"}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_on_made_samples_and_nothing_else(
    root: Path,
    name: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path_factory.mktemp("cache")))  # nothing is trained before
    told = ran(root, name, cwd=tmp_path)
    assert told["edge_only"][1] == 0
    assert told["cloud_only"][1] == 100
    assert 5 < told["prefer_edge"][1] < 45
    assert told["edge_only"][0] > 70
    assert min(told["edge_only"][0], told["cloud_only"][0]) - 1 <= told["prefer_edge"][0]
    assert not list(tmp_path.iterdir()), "it leaves nothing where it was started"


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "folder", "least"), EXAMPLES, ids=NAMES)
def test_an_example_runs_on_the_real_set(
    root: Path, name: str, folder: str, least: float, tmp_path: Path
) -> None:
    real = root.parent / "shared" / "data" / folder
    if not real.is_dir():
        pytest.skip(f"{folder} is not beside the repository")
    told = ran(root, name, real, cwd=tmp_path)
    edge, cloud, tiered = (told[mode][0] for mode in ("edge_only", "cloud_only", "prefer_edge"))
    assert edge > least
    assert cloud >= edge
    assert edge <= tiered <= cloud + 1
    assert 15 < told["prefer_edge"][1] < 35


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_not_the_set_is_told_in_one_line(root: Path, name: str, tmp_path: Path) -> None:
    command = [sys.executable, root / "examples" / f"{name}.py", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "[HAL-304]" in done.stderr.splitlines()[-1]
    assert str(tmp_path) in done.stderr.splitlines()[-1]
