"""Nothing is reported to anybody: the runtime's own telemetry is off before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import halocline as hc

LOAD = "import sys, halocline as hc; hc.load(sys.argv[1]); "


@pytest.fixture(scope="module")
def model() -> Path:
    return hc.samples.digits().edge_path


def run(script: str, model: Path, cache: Path, **variables: str) -> str:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache), **variables}
    done = subprocess.run(
        [sys.executable, "-c", script, str(model)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_loading_a_model_leaves_no_telemetry_behind(model: Path, tmp_path: Path) -> None:
    run(LOAD, model, tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_this_test_can_fail(model: Path, tmp_path: Path) -> None:
    """With its telemetry left on, the runtime does write where the test above looks."""
    run(LOAD, model, tmp_path, ORT_DISABLE_TELEMETRY="0")
    assert list(tmp_path.rglob("*onnxruntime*"))


@pytest.mark.parametrize("command", [["doctor"], ["model", "inspect"], ["infer"]])
def test_no_command_loads_the_runtime_before_its_telemetry_is_off(
    command: list[str], model: Path, tmp_path: Path
) -> None:
    data = tmp_path / "x.npy"
    np.save(data, hc.samples.digits().x[:2])
    cache = tmp_path / "cache"
    cache.mkdir()
    arguments = [*command, str(model), *(["--data", str(data)] if command == ["infer"] else [])]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run(
        [sys.executable, "-m", "halocline", *arguments], env=environment, capture_output=True, check=False
    )
    assert list(cache.rglob("*onnxruntime*")) == []
