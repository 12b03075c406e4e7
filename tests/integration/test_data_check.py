"""`halocline data check` says what is there, what is wrong, and what it is fit for."""

import json
import shutil

import numpy as np
from commands import output
from made_files import write_classes, write_coco, write_sound

from halocline.cli import main
from halocline.demo.starter import write_starter


def checked(capsys, *words):
    return json.loads(output(capsys, "data", "check", *words, "--json"))


def fit(found):
    return {each["command"]: each["is_fit"] for each in found["fit"]}


def test_rows_are_counted_by_class_group_and_size(tmp_path, capsys):
    found = checked(capsys, write_classes(tmp_path / "shop"), "--group-by", "/([a-z]+)_")
    assert (found["version"], found["rows"], found["kind"], found["content"]) == (1, 12, "folder", "pictures")
    assert found["labels"] == {"bag": 6, "boot": 6}
    assert found["groups"] == {"ada": 6, "ben": 6}
    assert found["sizes"] == {"20x12": 12}
    assert fit(found) == {"infer": True, "tune": True, "evaluate": True}
    assert found["doubts"] == []


def test_copies_are_found_and_one_under_two_labels_is_told(tmp_path, capsys):
    shop = write_classes(tmp_path / "shop")
    shutil.copy(shop / "bag" / "ada_0.jpg", shop / "bag" / "zoe_0.jpg")
    shutil.copy(shop / "bag" / "ben_1.png", shop / "boot" / "zoe_1.png")
    found = checked(capsys, shop)
    assert (found["copies"]["rows"], found["copies"]["across_labels"]) == (2, 1)
    assert ["bag/ada_0.jpg", "bag/zoe_0.jpg"] in found["copies"]["named"]
    assert found["doubts"][0] == "under more than one label: 1 sample; one is wrong"


def test_sounds_are_told_by_length_and_rate(tmp_path, capsys):
    for at, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        write_sound(tmp_path / name / "x.wav", seconds=0.2 + at, rate_hz=(8000, 16000)[at])
    found = checked(capsys, tmp_path)
    assert found["seconds"] == {"least": 0.2, "middle": 0.7, "most": 1.2}
    assert found["rates_hz"] == {"8000": 1, "16000": 1}
    assert "differ in their sample rate" in found["doubts"][0]


def test_without_labels_it_is_fit_to_tune_and_not_to_evaluate(tmp_path, capsys):
    np.savez(tmp_path / "two.npz", age=np.arange(4.0), image=np.ones((4, 2, 2)))
    found = checked(capsys, tmp_path / "two.npz")
    assert found["sizes"] == {"[] and [2, 2]": 4}
    assert fit(found) == {"infer": True, "tune": True, "evaluate": False}


def test_boxes_are_counted_by_class(tmp_path, capsys):
    found = checked(capsys, write_coco(tmp_path, {"a.jpg": [[1, 1, 3, 3], [5, 5, 3, 3]], "b.jpg": []}))
    assert found["labels"] == {"boot": 2}
    assert found["boxes"] == {"least": 0.0, "middle": 1.0, "most": 2.0}
    assert fit(found) == {"infer": True, "tune": True, "evaluate": True}


def test_people_are_told_the_same_and_which_rows_are_bad(tmp_path, capsys):
    shop = write_classes(tmp_path / "shop")
    for at in range(12):
        (shop / "bag" / f"empty_{at:02}.jpg").write_bytes(b"")
    assert main(["data", "check", str(shop)]) == 0
    printed = capsys.readouterr().out
    assert "folder, 12 pictures" in printed
    assert "2: bag (6), boot (6)" in printed
    assert "- bag/empty_00.jpg: it is empty" in printed
    assert "- and 2 more; --json names all" in printed
    assert "- evaluate: yes, against the labels" in printed
    assert main(["data", "check", str(shop), "--strict"]) == 2
    assert "12 rows left out" in capsys.readouterr().err


def test_a_set_of_bad_rows_alone_is_fit_for_nothing(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("file,label\na.jpg,x\nb.jpg,y\n")
    found = checked(capsys, tmp_path)
    assert (found["rows"], fit(found)) == (0, {"infer": False})
    assert [row["why"] for row in found["bad"]] == ["it does not exist"] * 2


def test_a_series_is_looked_at_in_the_windows_that_its_model_takes(tmp_path, capsys):
    write_starter("sensor", tmp_path / "sensor")
    table = tmp_path / "sensor" / "readings.csv"
    found = checked(capsys, table, "--edge", tmp_path / "sensor" / "edge.onnx")
    assert (found["rows"], found["sizes"], found["doubts"]) == (240, {"[24, 2]": 240}, [])
    assert found["copies"]["rows"] == 0
    assert main(["data", "check", str(table)]) == 0
    assert "each line is taken for a row" in capsys.readouterr().out
