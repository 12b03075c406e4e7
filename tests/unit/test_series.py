"""The promises of prepared series and arrays: windows, missing values and scale as the description says."""

import numpy as np
import pytest
from prepared import prepared, refusal

from halocline.inputs.description import ArrayInput, SeriesInput
from halocline.inputs.series import windows

ROWS = np.arange(8.0).reshape(4, 2)
NAN = np.nan


def test_a_window_is_scaled_by_column():
    row = prepared(SeriesInput(2, window=4, mean=(1, 2), std=(2, 4)), ROWS)
    assert row.dtype == np.float32
    assert np.array_equal(row, (ROWS - [1, 2]) / [2, 4])


def test_layouts_are_axes_moved():
    assert np.array_equal(prepared(SeriesInput(2, window=4, layout="ct"), ROWS), ROWS.T)
    assert np.array_equal(prepared(SeriesInput(2, window=4, layout="1tc"), ROWS), ROWS[None])
    assert np.array_equal(prepared(SeriesInput(2, window=4, layout="f"), ROWS), ROWS.ravel())
    assert np.array_equal(prepared(SeriesInput(1, window=4, layout="t"), ROWS[:, 0]), ROWS[:, 0])
    assert np.array_equal(prepared(SeriesInput(1, window=4), ROWS[:, 0]), ROWS[:, :1])


@pytest.mark.parametrize(
    ("missing", "gives"),
    [
        ("hold", [[3, 5], [3, 5], [3, 5], [9, 5]]),
        ("interpolate", [[3, 5], [5, 5], [7, 5], [9, 5]]),
        ("mean", [[3, -1], [2, 5], [2, -1], [9, -1]]),
    ],
)
def test_missing_values_are_filled_as_told(missing, gives):
    told = SeriesInput(2, window=4, missing=missing, mean=(2, -1))
    seen = np.array([[3, NAN], [NAN, 5], [NAN, NAN], [9, NAN]])
    before = seen.copy()
    assert np.array_equal(prepared(told, seen), np.array(gives, np.float32) - np.array([2, -1], np.float32))
    assert np.array_equal(seen, before, equal_nan=True)


def test_missing_values_are_refused_unless_told_otherwise():
    code, message = refusal(SeriesInput(("load", "heat"), window=4), np.where(ROWS == 5, NAN, ROWS))
    assert code == "HAL-315"
    assert "row 2 of the window, column heat is nan" in message
    assert (
        refusal(SeriesInput(2, window=4, missing="hold"), np.where(ROWS == 5, np.inf, ROWS))[0] == "HAL-315"
    )
    assert "no value at all" in refusal(SeriesInput(2, window=4, missing="hold"), ROWS * [1, NAN])[1]


def test_columns_are_found_by_name_where_the_sample_has_names():
    told = SeriesInput(("heat", "load"), window=2)
    table = np.array([(1, 2.5, 3), (4, 5.5, 6)], [("load", int), ("other", float), ("heat", int)])
    assert np.array_equal(prepared(told, table), [[3, 1], [6, 4]])
    code, message = refusal(SeriesInput(("heat", "dust"), window=2), table)
    assert (code, "dust are missing" in message) == ("HAL-314", True)


def test_a_window_of_the_wrong_size_says_what_is_expected():
    for sample, code, says in (
        (ROWS[:3], "HAL-314", "window of 4 rows, got 3"),
        (np.zeros((9, 2)), "HAL-314", "windows"),
        (np.zeros((4, 3)), "HAL-314", "[rows, 2] (load, heat), got an array [4, 3]"),
        (np.zeros(4), "HAL-314", "[4]"),
        (np.zeros((4, 2), complex), "HAL-310", "complex128"),
        ("series.csv", "HAL-310", "str"),
        ([["a", "b"]] * 4, "HAL-310", "list"),
    ):
        seen, message = refusal(SeriesInput(("load", "heat"), window=4), sample)
        assert seen == code
        assert says in message


def test_a_recording_is_cut_into_windows():
    series = np.arange(10.0)
    told = SeriesInput(1, window=4, hop=3)
    assert [window[:, 0].tolist() for window in windows(series, told)] == [
        [0, 1, 2, 3],
        [3, 4, 5, 6],
        [6, 7, 8, 9],
    ]
    assert len(list(windows(series, SeriesInput(1, window=4)))) == 2
    assert list(windows(series, SeriesInput(1, window=11))) == []


def test_an_array_is_scaled_and_typed():
    told = ArrayInput(scale=0.5, mean=(1, 2), std=(2, 2))
    row = prepared(told, np.array([[2, 4], [6, 8]], np.int16))
    assert row.dtype == np.float32
    assert np.array_equal(row, [[0, 0], [1, 1]])
    assert prepared(told, [[2, 4]], dtype="float64").dtype == np.float64
    assert np.array_equal(prepared(ArrayInput("uint8", scale=100), [1, 2, 3, -1]), [100, 200, 255, 0])


def test_no_whole_number_is_made_of_nan():
    assert refusal(ArrayInput("uint8", scale=2.0), [1.0, NAN])[0] == "HAL-315"
    assert prepared(ArrayInput("uint8", scale=2.0), [np.inf])[0] == 255
    assert np.isnan(prepared(ArrayInput("float32", scale=2.0), [NAN])[0])


def test_an_array_of_the_wrong_kind_says_so():
    assert refusal(ArrayInput(scale=2.0), "words")[0] == "HAL-310"
    assert refusal(ArrayInput(scale=2.0), np.zeros(3, complex))[0] == "HAL-310"
    code, message = refusal(ArrayInput(mean=(1, 2)), np.zeros((4, 3)))
    assert (code, "last axis of 2" in message) == ("HAL-314", True)
