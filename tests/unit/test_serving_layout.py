"""Which files are served, under which names, and which version is the latest."""

from pathlib import Path

import pytest

from halocline.errors import Misconfigured
from halocline.records import ModelRef
from halocline.serving.layout import find_models
from halocline.serving.version import version_key


@pytest.mark.parametrize(
    "ordered",
    [
        ["1", "2", "10"],
        ["1.9", "1.10", "2"],
        ["v1", "v2", "v10"],
        ["1.0-alpha", "1.0-rc1", "1.0-rc2", "1.0", "1.0.1"],
        ["2026-01-31", "2026-02-01", "2026-10-01"],
    ],
)
def test_versions_compare_as_people_mean_them(ordered: list[str]) -> None:
    assert sorted(set(ordered), key=version_key) == ordered


def test_trailing_zeros_make_no_other_version() -> None:
    assert version_key("1") == version_key("1.0") == version_key("1.0.0")


def model(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_a_file_is_called_by_its_stem_or_as_one_says(tmp_path: Path) -> None:
    path = model(tmp_path / "digits.onnx")
    assert [file.ref for file in find_models([str(path)])] == [ModelRef("digits", "1")]
    assert [file.ref for file in find_models([f"cloud={path}"])] == [ModelRef("cloud", "1")]


def test_a_path_that_holds_an_equals_sign_is_still_a_path(tmp_path: Path) -> None:
    path = model(tmp_path / "a=b" / "m.onnx")
    assert find_models([str(path)])[0].path == path


def test_a_folder_names_models_and_versions(tmp_path: Path) -> None:
    for version in ("1", "2", "10"):
        model(tmp_path / "digits" / version / "model.onnx")
    model(tmp_path / "speech" / "1.0" / "model.onnx")
    model(tmp_path / "speech" / "1.0" / "notes.txt")
    assert {str(file.ref) for file in find_models([str(tmp_path)])} == {
        "digits@1",
        "digits@2",
        "digits@10",
        "speech@1.0",
    }


def test_what_cannot_be_served_is_named_with_its_fix(tmp_path: Path) -> None:
    path = model(tmp_path / "digits.onnx")
    (tmp_path / "empty").mkdir()
    cases = {
        "HAL-206": [
            [],
            [str(tmp_path / "empty")],
            [str(path), str(path)],
            [f"a/b={path}"],
            [f"name={tmp_path}"],
            [str(model(tmp_path / "sp ace.onnx"))],
        ],
        "HAL-201": [[str(tmp_path / "missing.onnx")]],
    }
    for code, sources in cases.items():
        for source in sources:
            with pytest.raises(Misconfigured) as caught:
                find_models(source)
            assert caught.value.code == code
            assert "\n" not in caught.value.message
