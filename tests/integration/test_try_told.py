"""What halocline try says is all that there is to know, and says it plainly: rows left out, bytes, halves."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import halocline as hc
from halocline.cli import main
from halocline.cli.words import lines_of
from halocline.data import read
from halocline.demo.starter import KINDS, write_starter

DATA = {"classifier": "rows.npz", "camera": "pictures", "sensor": "readings.csv"}


@pytest.fixture(scope="module")
def starters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starters")
    for kind in KINDS:
        write_starter(kind, folder / kind)
    return folder


def tried(capsys, folder, data, *words, code=0):
    models = ["--edge", str(folder / "edge.onnx"), "--cloud", str(folder / "cloud.onnx")]
    out = folder / "page.html"
    assert main(["try", *models, "--data", str(data), "--no-cache", "--out", str(out), *words]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_rows_that_are_left_out_are_told_on_the_terminal_and_on_the_page(starters, tmp_path, capsys):
    folder = starters / "classifier"
    with np.load(folder / "rows.npz") as rows:
        x, y = rows["x"], rows["y"]
    x[[5, 70]] = np.nan
    np.savez(tmp_path / "holes.npz", x=x, y=y)
    said = " ".join(tried(capsys, folder, tmp_path / "holes.npz", "--max-loss", "5%").split())
    wary = said.partition("Be wary:")[2]
    assert "2 of the 600 samples could not be read and are left out: row 5: " in wary
    page = (folder / "page.html").read_text()
    assert "2 of the 600 samples" in page.partition("Be wary")[2].partition("</section>")[0]
    assert page.count("2 of the 600 samples") == 1


def test_a_cloud_that_is_a_file_would_be_sent_the_smaller_of_file_and_tensor(starters, tmp_path, capsys):
    grey = np.zeros((32, 32, 3), np.uint8)
    for kind in ("disc", "square"):
        (tmp_path / kind).mkdir()
        for at in range(40):
            grey[at % 32] = 10 * at % 256
            Image.fromarray(grey).save(tmp_path / kind / f"{at}.png")
    told = json.loads(tried(capsys, starters / "camera", tmp_path, "--json"))
    files = np.mean([file.stat().st_size for file in tmp_path.rglob("*.png")])
    assert files < 1000  # of a tensor of 2,304 bytes
    assert told["up_bytes"] < files + 300


def test_the_half_that_a_warning_counts_on_is_named(starters, tmp_path, capsys):
    folder = starters / "classifier"
    with np.load(folder / "rows.npz") as rows:
        good = rows["y"] == "good"
        np.savez(tmp_path / "good.npz", x=rows["x"][good], y=rows["y"][good])
    told = json.loads(tried(capsys, folder, tmp_path / "good.npz", "--json"))
    always = [line for line in told["warnings"] if "always saying" in line]
    cloud = round(100 * told["cloud_alone"]["accuracy"]["value"], 1)
    assert len(always) == 1
    assert f"the cloud in {cloud}" in always[0]


def test_a_share_that_only_chance_moved_is_no_reason_to_be_wary(starters, tmp_path, capsys):
    folder = starters / "classifier"
    with np.load(folder / "rows.npz") as rows:
        np.savez(tmp_path / "few.npz", x=rows["x"][:20], y=rows["y"][:20])
    told = json.loads(tried(capsys, folder, tmp_path / "few.npz", "--json"))
    assert told["promise_check"]["state"] == "by_chance"
    assert not any("within chance" in line for line in told["warnings"])


def test_a_shape_that_no_row_fits_is_said_of_the_rows_and_not_of_one(starters, tmp_path, capsys):
    np.savez(tmp_path / "narrow.npz", x=np.zeros((60, 5), np.float32))
    said = tried(capsys, starters / "classifier", tmp_path / "narrow.npz", code=2)
    assert "row 0" in said
    assert "row 19" not in said


def test_a_share_above_all_is_not_suggested_to_those_who_wrote_it(starters, capsys):
    folder = starters / "classifier"
    said = tried(capsys, folder, folder / "rows.npz", "--alpha", "200%", code=2)
    assert "Did you mean" not in said
    assert "Did you mean 5%?" in tried(capsys, folder, folder / "rows.npz", "--max-loss", "5", code=2)


def test_no_line_ends_between_a_number_and_its_percent_sign():
    for width in range(1, 60):
        text = f"{'x' * width} always 'triangle' 34.6 % and then some more words to fill the second line " * 2
        assert not any(line.lstrip().startswith("%") for line in lines_of(text))


def test_a_month_of_many_calls_is_told_in_a_unit_that_fits(starters, capsys):
    folder = starters / "classifier"
    said = tried(capsys, folder, folder / "rows.npz", "--calls-per-day", "1000000")
    (line,) = [line for line in said.splitlines() if line.startswith("sent up")]
    assert "GB" in line
    (usd,) = [line for line in said.splitlines() if line.startswith("USD")]
    assert all(re.fullmatch(r"[\d,]+\.\d\d|0", cell) for cell in usd.split()[1:])


@pytest.mark.parametrize("kind", KINDS)
def test_tuning_as_the_readme_of_a_new_folder_says_changes_nothing(starters, kind, capsys, monkeypatch):
    monkeypatch.chdir(starters / kind)
    loss = "10%" if kind == "sensor" else "5%"
    words = ["--edge", "edge.onnx", "--cloud", "cloud.onnx", "--data", DATA[kind], "--max-loss", loss]
    assert main(["tune", *words, "--dry-run", "--no-cache"]) == 0
    assert "Changed against policy.toml:\n- nothing" in capsys.readouterr().out


def test_a_point_that_a_moving_threshold_puts_beside_the_line_is_explained(starters):
    edge, cloud = (hc.load(starters / "classifier" / f"{tier}.onnx") for tier in ("edge", "cloud"))
    rows = read(starters / "classifier" / "rows.npz")
    share = hc.try_(edge, cloud, rows.samples, rows.labels, escalate=0.2, cache=False)
    fixed = hc.try_(edge, cloud, rows.samples, rows.labels, max_loss=0.05, cache=False)
    assert "may lie beside the line" in share._repr_html_()
    assert "beside the line" not in fixed._repr_html_()


def test_a_file_that_cannot_be_used_is_named_once(starters, tmp_path, capsys):
    for kind in ("disc", "square"):
        (tmp_path / kind).mkdir()
        for at in range(20):
            pixels = np.random.default_rng(at).integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{at}.png")
    huge = tmp_path / "disc" / "huge.png"
    Image.new("1", (9000, 9000)).save(huge)
    told = json.loads(tried(capsys, starters / "camera", tmp_path, "--json"))
    (line,) = [line for line in told["warnings"] if "huge" in line]
    assert line.startswith(f"1 of the 41 samples could not be read and is left out: {huge}: its header ")
    assert line.count("huge") == 1


def test_a_list_of_commands_that_is_cut_says_so(capsys):
    assert main(["tyr"]) == 2
    said = capsys.readouterr().err
    assert ", …" in said
    assert ", ." not in said


def test_more_groups_are_asked_for_where_groups_are_too_few(starters, tmp_path, capsys):
    folder = starters / "classifier"
    with np.load(folder / "rows.npz") as rows:
        group = np.arange(len(rows["y"])) % 6
        np.savez(tmp_path / "six.npz", x=rows["x"], y=rows["y"], group=group)
    said = tried(capsys, folder, tmp_path / "six.npz")
    assert "Too few groups" in said
    assert "try with more groups" in said


def test_lines_of_other_units_are_drawn_on_their_own_scales_and_that_is_said_once(starters, capsys):
    tried(capsys, starters / "sensor", starters / "sensor" / "readings.csv", "--max-loss", "10%")
    page = (starters / "sensor" / "page.html").read_text()
    assert page.count("Each line is on a scale of its own.") == 1
