"""Nothing is reported to anybody: the runtime's own telemetry is off before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import halocline as hc

CI_VARIABLES = {
    "CI",
    "TF_BUILD",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "CIRCLECI",
    "TRAVIS",
    "JENKINS_URL",
    "CODEBUILD_BUILD_ID",
    "BUILDKITE",
    "TEAMCITY_VERSION",
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
}
"""Where one of them is set the runtime keeps silent by itself, and these tests would see nothing."""

LOAD = "import sys, halocline as hc; hc.load(sys.argv[1]); "


@pytest.fixture(scope="module")
def model() -> Path:
    return hc.samples.digits().edge_path


def environment(cache: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in CI_VARIABLES}
    kept.pop("ORT_DISABLE_TELEMETRY", None)
    return {**kept, "XDG_CACHE_HOME": str(cache), "HOME": str(cache), **variables}


def run(script: str, model: Path, cache: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(model)],
        env=environment(cache, **variables),
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
    subprocess.run(
        [sys.executable, "-m", "halocline", *arguments],
        env=environment(cache),
        capture_output=True,
        check=False,
    )
    assert list(cache.rglob("*onnxruntime*")) == []
