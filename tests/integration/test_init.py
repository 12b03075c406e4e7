"""halocline init writes folders that run as they are, whole or not at all, and over nobody's files."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import halocline as hc
from halocline.cli import main
from halocline.data import Series, read
from halocline.demo.starter import KINDS, kinds
from halocline.wire.agent_file import AGENT_KEYS, HUB_KEYS, MODEL_KEYS, read_agent_file
from halocline.wire.policy_file import read_policy

DATA = {"classifier": "rows.npz", "camera": "pictures", "sensor": "readings.csv"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starters")
    for kind in KINDS:
        assert main(["init", kind, str(folder / kind)]) == 0
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_runs_as_it_is_and_asks_both_tiers(written, kind):
    done = subprocess.run([sys.executable, "run.py"], cwd=written / kind, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert re.search(r"\bedge +confident", done.stdout)
    assert re.search(r"\bcloud +escalated", done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_is_short_and_needs_nothing_but_halocline_and_numpy(written, kind):
    lines = (written / kind / "run.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("import", "from", '"""', "#"))]
    assert len(code) <= 10
    names = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import", "from"))}
    assert names <= {"halocline", "numpy", "pathlib"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_readme_says_to_type_works(written, kind, capsys, monkeypatch):
    monkeypatch.chdir(written / kind)
    monkeypatch.setenv("HALOCLINE_CACHE", str(written / "cache"))
    typed = re.findall(r"^\$ halocline (.+)$", Path("README.md").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in typed] == ["try", "tune", "serve", "agent"]
    for line in typed:
        if not line.startswith(("serve", "agent")):  # which run until a signal ends them
            assert main(line.split()) == 0, capsys.readouterr().err
    assert "image/png" in Path("try.html").read_text() or kind != "camera"


@pytest.mark.parametrize("kind", KINDS)
def test_neither_tier_is_perfect_and_the_cloud_is_better(written, kind):
    folder = written / kind
    edge, cloud = hc.load(folder / "edge.onnx"), hc.load(folder / "cloud.onnx")
    rows = read(folder / DATA[kind], series=Series(24, columns=("vibration", "temperature")))
    trial = hc.try_(edge, cloud, rows.samples, rows.labels, rows.groups, max_loss=0.05, cache=False)
    assert 0.6 < trial.edge_alone.accuracy.value < trial.cloud_alone.accuracy.value - 0.05
    assert 0.1 < trial.escalated.value < 0.9
    ready = trial.times.prepare_s
    assert (ready is None) == (kind == "classifier")  # whose rows are tensors
    assert trial.edge_alone.typical_s == pytest.approx(
        trial.times.edge_s.p50_s + (ready.p50_s if ready else 0.0)
    )
    assert not rows.bad


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_is_for_these_models_and_every_setting_has_a_comment(written, kind):
    folder = written / kind
    policy = read_policy(folder / "policy.toml")
    assert policy.edge_digest == hc.load(folder / "edge.onnx").digest
    assert policy.promise.scope in ("rows", "groups")
    text = (folder / "edge.model.toml").read_text()
    assert text.count("#") >= 4
    assert (folder / "policy.toml").read_text().startswith("#")


@pytest.mark.parametrize("kind", KINDS)
def test_the_agents_settings_are_right_as_they_are_and_name_every_key(written, kind, capsys, monkeypatch):
    monkeypatch.chdir(written / kind)
    assert main(["agent", "config", "edge.toml", "--check"]) == 0, capsys.readouterr().err
    text = Path("edge.toml").read_text()
    for keys in (AGENT_KEYS, HUB_KEYS, MODEL_KEYS):
        for name, key in keys.items():
            assert re.search(rf"^# {re.escape(key.about)}.*\n(# )?{name} =", text, re.MULTILINE), name
    read = read_agent_file("edge.toml").models["edge"]
    assert read.escalates
    assert hc.Tiered(hc.load(read.edge), hc.load(read.cloud), policy=read.policy).threshold > 0


@pytest.mark.parametrize("seed", range(1, 4))
def test_any_seed_makes_models_that_know_something(seed, tmp_path):
    for kind in ("classifier", "sensor"):
        assert main(["init", kind, str(tmp_path / kind), "--seed", str(seed)]) == 0
        rows = read(tmp_path / kind / DATA[kind], series=Series(24, columns=("vibration", "temperature")))
        for name, least in (("edge", 0.55), ("cloud", 0.75)):
            said = hc.load(tmp_path / kind / f"{name}.onnx").predict_batch(list(rows.samples))
            assert sum(a.label == b for a, b in zip(said, rows.labels, strict=True)) > least * len(rows)


def test_the_same_seed_makes_the_same_models(tmp_path):
    assert main(["init", "classifier", str(tmp_path / "one")]) == 0
    assert main(["init", "classifier", str(tmp_path / "two")]) == 0
    assert (tmp_path / "one/edge.onnx").read_bytes() == (tmp_path / "two/edge.onnx").read_bytes()


def test_a_folder_that_holds_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert main(["init", "classifier", str(tmp_path / "mine")]) == 2
    said = capsys.readouterr().err
    assert "holds files already, and none is overwritten" in said
    assert "[HAL-342]" in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_filled_and_a_missing_one_made(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "not/there/yet"):
        assert main(["init", "classifier", str(tmp_path / name)]) == 0
        assert (tmp_path / name / "run.py").exists()


def test_the_folder_one_stands_in_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "classifier", "."]) == 0
    assert (tmp_path / "run.py").exists()
    assert Path("run.py").exists()


def test_nothing_is_left_where_it_fails_on_the_way(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(
        kinds.STARTERS, "classifier", msgspec.structs.replace(kinds.STARTERS["classifier"], write=full)
    )
    (tmp_path / "there").mkdir()
    for name in ("there", "new"):
        assert main(["init", "classifier", str(tmp_path / name)]) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["there"]


def test_what_is_not_installed_is_named_with_its_pip_line(tmp_path, capsys, monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "halocline.extras.find_spec", lambda name, *rest: None if name == "onnx" else known(name, *rest)
    )
    assert main(["init", "classifier", str(tmp_path / "new")]) == 2
    assert "pip install 'halocline[demo]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_json_names_what_was_written(tmp_path, capsys):
    assert main(["init", "sensor", str(tmp_path / "new"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == 1
    assert set(told["files"]) == set(os.listdir(tmp_path / "new"))
