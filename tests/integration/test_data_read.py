"""Data of any form are read alike, and what cannot be used is named and left out."""

import re

import numpy as np
import pytest
from made_files import picture_bytes, write_classes, write_coco, write_sound

from halocline.data import Content, Kind, Series, read
from halocline.errors import Misconfigured


def bad(dataset):
    return {row.name: row.why for row in dataset.bad}


def refused(path, code, says, **how):
    with pytest.raises(Misconfigured, match=re.escape(says)) as caught:
        read(path, **how)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


# Arrays


def test_arrays_are_taken_by_name_and_the_rest_is_told(tmp_path):
    x, y = np.ones((3, 2)), np.arange(3)
    np.savez(tmp_path / "a.npz", inputs=x, labels=y, groups=y, more=y)
    found = read(tmp_path / "a.npz")
    assert (found.kind, found.content, len(found)) == (Kind.ARRAYS, Content.ROWS, 3)
    assert np.array_equal(found.samples, x)
    assert found.unread == ("more",)
    assert list(found.names) == ["row 0", "row 1", "row 2"]
    np.savez(tmp_path / "two.npz", age=y, image=x, y=y)
    assert set(read(tmp_path / "two.npz").samples) == {"age", "image"}


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused(tmp_path / "x.npy", "HAL-304", "Python objects")


# Folders


def test_folders_are_classes_and_samples_stay_on_disk(tmp_path):
    found = read(write_classes(tmp_path / "shop"))
    assert (found.kind, found.content, len(found)) == (Kind.FOLDER, Content.PICTURES, 12)
    assert found.labels.tolist() == ["bag"] * 6 + ["boot"] * 6
    assert found.names[0] == "bag/ada_0.jpg"
    assert found.samples[0] == tmp_path / "shop" / "bag" / "ada_0.jpg"
    assert (found.groups, found.bad, found.unread) == (None, (), ())


def test_class_folders_with_numbers_are_class_numbers(tmp_path):
    for name in ("0", "10"):
        (tmp_path / name).mkdir()
        write_sound(tmp_path / name / "a.wav")
    found = read(tmp_path)
    assert found.content is Content.SOUNDS
    assert found.labels.tolist() == [0, 10]


def test_names_with_leading_zeros_stay_names(tmp_path):
    for name in ("007", "10"):
        (tmp_path / name).mkdir()
        write_sound(tmp_path / name / "a.wav")
    assert read(tmp_path).labels.tolist() == ["007", "10"]


def test_rows_may_lie_in_files_of_their_own(tmp_path):
    for at, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "r.npy", np.full(3, at, np.float32))
    np.save(tmp_path / "b" / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    found = read(tmp_path)
    assert found.content is Content.ROWS
    assert [each.tolist() for each in found.samples] == [[0, 0, 0], [1, 1, 1]]
    assert [each.tolist() for each in found.samples[1:]] == [[1, 1, 1]]
    assert bad(found) == {"b/o.npy": "it holds Python objects, not numbers"}


def test_a_flat_folder_has_no_labels(tmp_path):
    for row in range(3):
        (tmp_path / f"{row}.png").write_bytes(picture_bytes(row, "PNG"))
    found = read(tmp_path)
    assert (len(found), found.labels) == (3, None)


def test_damaged_files_are_named_and_the_others_go_on(tmp_path):
    shop = write_classes(tmp_path / "shop")
    jpeg, png = picture_bytes(7), picture_bytes(7, "PNG")
    (shop / "bag" / "cut.jpg").write_bytes(jpeg[:-40])
    (shop / "bag" / "cut.png").write_bytes(png[:-20])
    (shop / "bag" / "empty.jpg").write_bytes(b"")
    (shop / "bag" / "page.jpg").write_bytes(b"<html>not found</html>")
    write_sound(shop / "bag" / "wrong.wav").rename(shop / "bag" / "wrong.png")
    (shop / "loose.jpg").write_bytes(jpeg)
    (shop / "bag" / "notes.txt").write_text("not read")
    (shop / ".DS_Store").write_bytes(b"clutter")
    found = read(shop)
    assert len(found) == 12
    assert bad(found) == {
        "loose.jpg": "it lies beside the class folders and so has no class",
        "bag/cut.jpg": f"it is cut off after {len(jpeg) - 40} bytes",
        "bag/cut.png": f"it is cut off after {len(png) - 20} bytes",
        "bag/empty.jpg": "it is empty",
        "bag/page.jpg": "it is no JPEG, PNG or WAV file (it begins with b'<htm')",
        "bag/wrong.png": "it is called .png and holds a wav file",
    }
    assert found.unread == ("1 .txt file",)
    refused(shop, "HAL-324", "6 rows left out (loose.jpg: it lies beside", strict=True)


def test_a_sound_that_is_cut_off_or_silent_is_bad(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_sound(tmp_path / name / "good.wav", channels=2)
    whole = (tmp_path / "a" / "good.wav").read_bytes()
    (tmp_path / "a" / "cut.wav").write_bytes(whole[:-100])
    write_sound(tmp_path / "b" / "none.wav", seconds=0)
    found = read(tmp_path)
    assert len(found) == 2
    assert bad(found) == {
        "a/cut.wav": "it is cut off: 3100 of 3200 bytes of sound are there",
        "b/none.wav": "it holds no sound",
    }


def test_what_a_camera_appends_to_a_picture_does_no_harm(tmp_path):
    shop = write_classes(tmp_path / "shop")
    (shop / "bag" / "live.jpg").write_bytes(picture_bytes(9) + bytes(200_000))
    assert read(shop).bad == ()


def test_a_group_is_found_in_the_name(tmp_path):
    shop = write_classes(tmp_path / "shop")
    (shop / "bag" / "nobody.jpg").write_bytes(picture_bytes(9))
    found = read(shop, group_by=r"/([a-z]+)_\d")
    assert found.groups[:3].tolist() == ["ada", "ada", "ada"]
    assert set(found.groups.tolist()) == {"ada", "ben"}
    assert list(bad(found)) == ["bag/nobody.jpg"]
    refused(shop, "HAL-325", "must be a regular expression", group_by="(")
    refused(shop, "HAL-325", "matches none of the 13 names, such as 'bag/ada_0.jpg'", group_by="xyz")
    np.save(tmp_path / "x.npy", np.ones(3))
    refused(tmp_path / "x.npy", "HAL-325", "add an array called group", group_by="x")


@pytest.mark.parametrize(
    ("files", "code", "says"),
    [
        ([], "HAL-320", "holds no files"),
        (["a/b.gif", "c.docx"], "HAL-320", "holds nothing that can be read, only 1 .gif, 1 .docx"),
        (["only/a.png", "only/b.png"], "HAL-320", "one class folder, 'only'"),
        (["all/a/x.png", "all/b/x.png"], "HAL-320", "Is {}/all the data?"),
        (["train/a/x.png", "test/a/x.png"], "HAL-320", "holds test and train, which are parts of a set"),
        (["a/x.png", "b/x.wav"], "HAL-321", "mixes 1 pictures and 1 sounds"),
        (["a.csv", "b.csv"], "HAL-320", "holds 2 tables (a.csv, b.csv)"),
        (["photos.zip"], "HAL-304", "photos.zip is packed. Unpack it"),
    ],
)
def test_a_folder_that_is_no_set_says_the_nearest_remedy(tmp_path, files, code, says):
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(form="PNG"))
    refused(tmp_path, code, says.format(tmp_path))


def test_a_path_that_cannot_be_read_says_what_can(tmp_path):
    refused(tmp_path / "none", "HAL-304", "does not exist")
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    refused(tmp_path / "a.jpg", "HAL-304", "is one sample. Give its folder")
    (tmp_path / "a.docx").write_bytes(b"x")
    refused(tmp_path / "a.docx", "HAL-304", "Read are .npz or .npy arrays, a folder")


# Tables


def test_a_table_names_files_beside_it_with_label_and_group(tmp_path):
    shop = write_classes(tmp_path / "shop")
    (shop / "rows.csv").write_text(
        "Path;Label;Group;weather\nbag/ada_0.jpg;bag;ada;sun\nboot/ben_1.png;boot;ben;rain\n"
        "bag/none.jpg;bag;ada;sun\nbag/ben_1.png;;ben;sun\n;bag;ada;sun\nshort\n"
    )
    found = read(shop)
    assert (found.kind, found.content, len(found)) == (Kind.TABLE, Content.PICTURES, 2)
    assert found.labels.tolist() == ["bag", "boot"]
    assert found.groups.tolist() == ["ada", "ben"]
    assert found.unread == ("weather",)
    assert bad(found) == {
        "bag/none.jpg": "it does not exist",
        "bag/ben_1.png": "it has no label",
        "line 6": "it names no file",
        "line 7": "it has 1 cells, not 4",
    }
    assert len(read(shop / "rows.csv")) == 2


def test_notes_beside_class_folders_are_no_table_of_them(tmp_path):
    shop = write_classes(tmp_path / "shop")
    (shop / "weather.csv").write_text("day,sun\n1,2\n")
    found = read(shop)
    assert (found.kind, len(found), found.unread) == (Kind.FOLDER, 12, ("1 .csv file",))
    (shop / "rows.csv").write_text("file,label\nbag/ada_0.jpg,bag\nboot/ada_0.jpg,boot\n")
    assert (read(shop).kind, len(read(shop))) == (Kind.TABLE, 2)


def test_a_link_that_leads_back_up_is_not_followed(tmp_path):
    shop = write_classes(tmp_path / "shop")
    (shop / "bag" / "round").symlink_to(shop)
    (shop / "bag" / "more").symlink_to(write_classes(tmp_path / "other") / "bag")
    assert len(read(shop)) == 18


def test_a_table_of_numbers_is_one_row_a_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y,group,note\n1,2.5,up,m1,x\n3,oops,up,m1,x\n5,,up,m1,x\n7,8,down,m2,y\n9,9,,m2,y\n")
    found = read(path)
    assert found.samples.tolist() == [[1, 2.5], [7, 8]]
    assert found.samples.dtype == np.float32
    assert found.labels.tolist() == ["up", "down"]
    assert found.groups.tolist() == ["m1", "m2"]
    assert list(found.names) == ["line 2", "line 5"]
    assert found.unread == ("note",)
    assert bad(found) == {
        "line 3": "b is 'oops', which is no number",
        "line 4": "b is empty",
        "line 6": "it has no label",
    }


def test_a_table_without_names_is_numbers_alone(tmp_path):
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    found = read(tmp_path / "t.csv")
    assert (found.samples.tolist(), found.labels) == ([[1, 2], [3, 4]], None)


def test_a_series_is_cut_into_windows_that_keep_to_their_group(tmp_path):
    path = tmp_path / "s.csv"
    rows = [f"2020-01-01 00:0{at},{at},{int(at > 2)},{'ab'[at > 4]}" for at in range(8)]
    path.write_text("\n".join(["timestamp,value,label,group", *rows]))
    found = read(path, series=Series(3, 1))
    assert [each[:, 0].tolist() for each in found.samples] == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [5, 6, 7]]
    assert found.labels.tolist() == [0, 1, 1, 1]
    assert found.groups.tolist() == ["a", "a", "a", "b"]
    assert read(path).samples.shape == (8, 1)
    refused(path, "HAL-322", "has no 9 lines in a row", series=Series(9))
    refused(path, "HAL-322", "no column 'valu'", series=Series(3, 1, ("valu",)))
    refused(path, "HAL-322", "Did you mean 'value'?", series=Series(3, 1, ("valu",)))


def test_windows_that_overlap_are_no_independent_rows(tmp_path):
    (tmp_path / "heat.csv").write_text("value\n" + "".join(f"{at}\n" for at in range(200)))
    found = read(tmp_path / "heat.csv", series=Series(window=4, hop=1))
    assert len(found) == 197
    assert sorted(set(found.groups)) == [f"block {at}" for at in range(1, 6)]
    apart = read(tmp_path / "heat.csv", series=Series(window=4))
    assert apart.groups is None


def test_no_window_reaches_over_a_line_that_was_left_out(tmp_path):
    (tmp_path / "s.csv").write_text("value\n1\n2\noops\n4\n5\n6\n")
    found = read(tmp_path / "s.csv", series=Series(2, 1))
    assert [each[:, 0].tolist() for each in found.samples] == [[1, 2], [4, 5], [5, 6]]
    assert list(bad(found)) == ["line 4"]


def test_gaps_in_a_series_are_left_to_the_model(tmp_path):
    (tmp_path / "s.csv").write_text("value\n1\nNaN\n3\n")
    (window,) = read(tmp_path / "s.csv", series=Series(3)).samples
    assert np.isnan(window[1, 0])
    assert bad(read(tmp_path / "s.csv")) == {"line 3": "value is empty"}


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "HAL-304", "is empty"),
        ("a,b\n", "HAL-304", "holds column names and no rows"),
        ("name,colour\nx,red\n", "HAL-322", "none names files (file, path, filename) and none holds numbers"),
        ("y,label,a\n1,1,1\n", "HAL-322", "has both y and label"),
        ("file,label\nx.jpg,a\n", "HAL-324", "x.jpg: it does not exist"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, code, says):
    (tmp_path / "t.csv").write_text(text)
    refused(tmp_path / "t.csv", code, says, strict=True)


# COCO


def test_boxes_are_fractions_of_their_picture(tmp_path):
    path = write_coco(tmp_path, {"a.jpg": [[5, 3, 10, 6], [0, 0, 20, 12]], "empty.jpg": []})
    for where in (path, tmp_path):
        found = read(where)
        assert (found.kind, found.content, len(found)) == (Kind.COCO, Content.PICTURES, 2)
        first, nothing = found.boxes
        assert first.xyxy.tolist() == [[0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1]]
        assert (first.labels, first.index.tolist()) == (("boot", "boot"), [1, 1])
        assert (len(nothing), nothing.xyxy.shape) == (0, (0, 4))


def test_a_box_outside_its_picture_is_bad(tmp_path):
    boxes = {
        "a.jpg": [[5, 3, 10, 6]],
        "over.jpg": [[5, 3, 16.5, 6]],
        "flat.jpg": [[5, 3, 0, 6]],
        "rounded.jpg": [[0, 0, 20.4, 12]],
    }
    path = write_coco(tmp_path, boxes)
    (tmp_path / "images" / "a.jpg").unlink()
    found = read(path)
    assert found.names == ["rounded.jpg"]
    assert found.boxes[0].xyxy.max() == 1
    assert bad(found) == {
        "a.jpg": "it does not exist",
        "over.jpg": "its box [5, 3, 16.5, 6] (x, y, width, height) reaches outside the picture of 20x12",
        "flat.jpg": "its box [5, 3, 0, 6] has no size (a box is x, y, width, height)",
    }


def test_annotations_of_another_form_say_what_is_missing(tmp_path):
    (tmp_path / "a.json").write_text('{"images": [{"id": 1}]}')
    refused(tmp_path / "a.json", "HAL-322", "is not COCO annotations")
    path = write_coco(tmp_path / "b", {"a.jpg": []})
    (tmp_path / "b" / "images" / "a.jpg").unlink()
    refused(path, "HAL-320", "a.jpg was looked for in")


# Parquet


def write_parquet(path, table, metadata=None, row_group_size=2):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    made = pyarrow.table(table)
    if metadata:
        made = made.replace_schema_metadata(metadata)
    parquet.write_table(made, path, row_group_size=row_group_size)
    return path


def test_pictures_in_parquet_are_read_with_the_sets_own_class_names(tmp_path):
    pictures = [{"bytes": picture_bytes(at), "path": f"{at}.jpg"} for at in range(4)]
    pictures.insert(2, {"bytes": b"", "path": "empty.jpg"})
    told = b'{"info": {"features": {"label": {"names": ["bag", "boot"], "_type": "ClassLabel"}}}}'
    table = {"image": pictures, "label": [0, 1, 0, 1, None], "id": [1, 2, 3, 4, 5]}
    path = write_parquet(tmp_path / "train-0.parquet", table, {b"huggingface": told})
    for where in (path, tmp_path):
        found = read(where)
        assert (found.kind, found.content, len(found)) == (Kind.PARQUET, Content.PICTURES, 3)
        assert found.labels.tolist() == ["bag", "boot", "boot"]
        assert [found.samples[at] for at in (2, 0, 1)] == [picture_bytes(each) for each in (2, 0, 1)]
        assert bad(found) == {"row 2": "it is empty", "row 4": "it has no label"}
        assert found.unread == ("id",)


def test_numbers_and_lists_in_parquet_are_rows(tmp_path):
    table = {"a": [1, 2, 3], "b": [0.5, None, 1.5], "y": ["u", "v", "u"], "group": [1.0, 1.0, 2.0]}
    found = read(write_parquet(tmp_path / "t.parquet", table))
    assert [each.tolist() for each in found.samples] == [[1, 0.5], [3, 1.5]]
    assert found.labels.tolist() == ["u", "u"]
    assert found.groups.tolist() == [1, 2]
    assert bad(found) == {"row 1": "it has an empty cell"}
    lists = read(write_parquet(tmp_path / "l.parquet", {"x": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}))
    assert [each.tolist() for each in lists.samples] == [[1, 2], [3, 4], [5, 6]]


def test_parquet_that_cannot_be_used_says_why(tmp_path):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    refused(tmp_path / "cut.parquet", "HAL-304", "is not a whole Parquet file")
    refused(write_parquet(tmp_path / "t.parquet", {"name": ["x"]}), "HAL-322", "none holds pictures")


def test_without_the_parquet_extra_the_error_names_the_pip_line(tmp_path, monkeypatch):
    monkeypatch.setattr("halocline.extras.find_spec", lambda name: None)
    refused(tmp_path / "t.parquet", "HAL-103", "pip install 'halocline[parquet]'")


def test_progress_ends_at_all_rows(tmp_path):
    seen = []
    read(write_classes(tmp_path / "shop"), progress=lambda done, rows: seen.append((done, rows)))
    assert seen[0] == (0, 12)
    assert seen[-1] == (12, 12)
