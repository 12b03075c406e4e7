"""Rows that a model cannot be measured on are left out and named, and the others go on."""

import json

import numpy as np
import pytest
from commands import output, run
from two_sizes import made

import halocline as hc
from halocline.data import read
from halocline.data.usable import usable
from halocline.errors import Misconfigured

ROWS = 300


@pytest.fixture
def digits():
    return hc.samples.digits()


@pytest.fixture
def here(digits, tmp_path, monkeypatch):
    """Good rows, and the same with NaN in rows 5 and 77 and a label that nobody knows in row 9."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    x, y = digits.x[:ROWS].copy(), digits.y[:ROWS].copy()
    good = np.delete(np.arange(ROWS), [5, 9, 77])
    np.savez("good.npz", x=x[good], y=y[good])
    x[[5, 77], 3] = np.nan
    y[9] = 42
    np.savez("stray.npz", x=x, y=y)
    return tmp_path


def test_tune_goes_on_without_stray_rows_and_says_which(here, digits, capsys):
    models = [
        "--edge",
        str(digits.edge_path),
        "--cloud",
        str(digits.cloud_path),
        "--escalate",
        "20%",
        "--json",
    ]
    without = json.loads(output(capsys, "tune", *models, "--data", "good.npz", "--dry-run"))
    seen = json.loads(output(capsys, "tune", *models, "--data", "stray.npz", "--dry-run"))
    text = json.dumps(seen)
    assert "row 5: it holds NaN, first at [3]" in text
    assert "row 9: its label 42 is no class of" in text
    assert seen["policy"]["threshold"] == without["policy"]["threshold"]
    words = ["tune", *models, "--data", "stray.npz", "--dry-run", "--strict"]
    assert "HAL-324" in run(capsys, *words, code=2).err


def test_infer_goes_on_without_rows_that_hold_nan(here, digits, capsys):
    seen = json.loads(
        output(capsys, "infer", str(digits.edge_path), "--data", "stray.npz", "--rows", "0", "--json")
    )
    assert len(seen["rows"]) == ROWS - 2
    assert [row["name"] for row in seen["bad"]] == ["row 5", "row 77"]


def test_a_sample_that_cannot_be_decoded_is_named_once(here, tmp_path):
    models = made(tmp_path)
    (tmp_path / "photos").mkdir()
    for at, jpeg in enumerate(models.pictures):
        (tmp_path / "photos" / f"{at}.jpg").write_bytes(jpeg)
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (20_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0IEND"
    (tmp_path / "photos" / "bomb.png").write_bytes(bomb)
    paths = sorted((tmp_path / "photos").iterdir())
    edge, cloud = hc.load(models.edge), hc.load(models.cloud)
    notes = " ".join(hc.tune(edge, cloud, paths, escalate=0.2, cache=False).notes)
    assert f"{paths[-1]}: its header announces" in notes
    assert "row 0" not in notes


def test_where_most_rows_are_strays_the_rows_are_left_as_they_are(here, digits):
    np.savez("other.npz", x=digits.x[:20], y=np.full(20, 42))
    edge = hc.load(digits.edge_path)
    assert len(usable(read("other.npz"), edge.spec)) == 20


def test_labels_of_another_length_than_the_rows_are_refused(here, digits):
    np.savez("short.npz", x=digits.x[:20], y=digits.y[:19])
    with pytest.raises(
        Misconfigured, match=r"short.npz: y must have one value for each of the 20 rows, got 19"
    ):
        read("short.npz")
