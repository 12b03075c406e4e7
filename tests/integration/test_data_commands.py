"""Every command reads the same data alike, in whatever form they come."""

import json

import numpy as np
import pytest
from commands import run
from made_files import picture_bytes, write_coco

import halocline as hc


@pytest.fixture(scope="module")
def digits():
    return hc.samples.digits()


@pytest.fixture
def here(digits, tmp_path, monkeypatch):
    """A folder where the same rows lie as .npz, as files in class folders and as a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    x, y = digits.x[:240], digits.y[:240]
    group = np.arange(240) % 24
    np.savez("cal.npz", x=x, y=y, group=group)
    lines = [
        f"{','.join(map(repr, row.ravel().tolist()))},{label},{of}"
        for row, label, of in zip(x, y, group, strict=True)
    ]
    names = ",".join(f"p{at}" for at in range(x[0].size))
    (tmp_path / "cal.csv").write_text("\n".join([f"{names},label,group", *lines]))
    for at, (row, label) in enumerate(zip(x, y, strict=True)):
        folder = tmp_path / "cal" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{group[at]:02}_{at:03}.npy", row)
    return tmp_path


def test_a_policy_does_not_depend_on_the_form_of_the_data(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    target = ["--escalate", "27%", "--json", "--dry-run"]
    told = {}
    for data, flags in (("cal.npz", []), ("cal.csv", []), ("cal", ["--group-by", r"/(\d+)_"])):
        found = json.loads(run(capsys, "tune", *models, "--data", data, *flags, *target).out)
        told[data] = (found["chosen"]["escalated"], found["accuracy"], found["groups"])
    assert told["cal.npz"][2] == 24
    assert told["cal.csv"] == told["cal.npz"]
    assert told["cal"] == told["cal.npz"]


def test_a_policy_is_evaluated_on_a_folder_and_what_is_bad_is_told(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    run(capsys, "tune", *models, "--data", "cal", "--escalate", "27%", "--test", "cal.csv")
    np.save(here / "cal" / "0" / "short.npy", np.ones(3, np.float32))
    (here / "cal" / "0" / "empty.npy").write_bytes(b"")
    words = ["evaluate", *models, "--policy", "policy.toml", "--data", "cal"]
    found = json.loads(run(capsys, *words, "--json").out)
    assert found["rows"] == 240
    notes = " ".join(found["notes"])
    assert "cal: 1 row left out (0/empty.npy: it is empty)" in notes
    assert "1 of the 241 samples could not be read and is left out" in notes
    assert "rows that the policy was tuned on" in notes
    assert "0/empty.npy: it is empty" in run(capsys, *words, "--strict", code=2).err
    (here / "cal" / "0" / "empty.npy").unlink()
    assert "cal/0/short.npy: the input 'X' of edge-0" in run(capsys, *words, "--strict", code=2).err


def test_rows_that_are_in_both_files_are_found_in_any_form(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    np.savez("again.npz", x=digits.x[200:], y=digits.y[200:])
    words = ["tune", *models, "--data", "cal", "--escalate", "27%", "--test", "again.npz"]
    assert "40 rows are in both cal and again.npz" in run(capsys, *words).out


def test_infer_looks_at_data_of_any_form_and_names_a_row_that_does_not_fit(here, digits, capsys):
    np.save(here / "cal" / "0" / "000.npy", np.ones(3, np.float32))
    words = ["infer", digits.edge_path, "--json", "--rows", "5", "--data"]
    found = json.loads(run(capsys, *words, "cal").out)
    assert [row["name"] for row in found["bad"]] == ["0/000.npy"]
    assert len(found["rows"]) == 4
    assert "0/000.npy: the input" in run(capsys, *words, "cal", "--strict", code=2).err
    table = json.loads(run(capsys, *words, "cal.csv").out)
    arrays = json.loads(run(capsys, *words, "cal.npz").out)
    assert [row["value"] for row in table["rows"]] == [row["value"] for row in arrays["rows"]]
    (here / "photos").mkdir()
    (here / "photos" / "a.png").write_bytes(picture_bytes(form="PNG"))
    told = run(capsys, *words, "photos", code=2).err
    assert "a.png: say what its input means in a .model.toml" in told
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    assert "say what its input means" in run(capsys, "tune", *models, "--data", "photos", code=2).err


def test_boxes_are_not_taken_for_pictures_without_labels(here, digits, capsys):
    write_coco(here / "boxes", {"a.jpg": [[1, 1, 3, 3]]})
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    assert (
        "holds boxes, which are for use of models that detect"
        in run(capsys, "tune", *models, "--data", "boxes", code=2).err
    )
