"""`import halocline` stays light, and the names it offers are a list that changes on purpose."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import halocline

HEAVY = [
    "asyncio",
    "cryptography",
    "cyclopts",
    "httptools",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "prometheus_client",
    "rich",
    "sklearn",
    "ssl",
    "uvicorn",
]
NAMES = [
    "Anomaly",
    "ArrayInput",
    "Boxes",
    "BreakerLimits",
    "Correction",
    "Description",
    "DetectOutput",
    "EscalationBudget",
    "HaloclineError",
    "Health",
    "ImageInput",
    "Interval",
    "Misconfigured",
    "Mode",
    "ModelRef",
    "Outbox",
    "Outcome",
    "Owner",
    "Personal",
    "Policy",
    "Prediction",
    "Reason",
    "RegressOutput",
    "Rejected",
    "Reply",
    "Request",
    "Score",
    "ScoreKind",
    "ScoreOutput",
    "SeriesInput",
    "SoundInput",
    "SpotCheck",
    "Task",
    "Tier",
    "Tiered",
    "Transient",
    "Untrusted",
    "connect",
    "evaluate",
    "load",
    "samples",
    "try_",
    "tune",
]


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a fresh interpreter that has imported halocline and nothing else."""
    script = "import halocline, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_importing_the_package_does_not_load(module: str, loaded: set[str]) -> None:
    assert module not in loaded


def test_connecting_does_not_load_the_codec_before_somebody_answers() -> None:
    script = (
        "import halocline as hc, sys; hc.connect('http://127.0.0.1:9/v2/models/cloud').close(); "
        "print('halocline.wire.oip' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_the_public_names_are_these() -> None:
    assert halocline.__all__ == NAMES


def test_people_and_type_checkers_are_offered_the_same_names() -> None:
    tree = ast.parse(Path(str(halocline.__file__)).read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(NAMES)
    assert set(dir(halocline)) >= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_at_first_use(name: str) -> None:
    assert getattr(halocline, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = halocline.nonsense  # type: ignore[attr-defined]
