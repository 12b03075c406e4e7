"""Labels and groups are read as people mean them, and what does not fit is said."""

import numpy as np
import pytest

from halocline.errors import Rejected
from halocline.tuning.rows import counted_once, read_groups, read_truth

LABELS = ("N", "S", "V")


@pytest.mark.parametrize(
    "y",
    [["V", "N"], np.array([b"V", b"N"]), np.array(["V", "N"], dtype=object), [2, 0], [2.0, 0.0], [[2], [0]]],
)
def test_labels_may_be_names_or_class_numbers(y):
    assert read_truth(y, LABELS, 3, 2).index.tolist() == [2, 0]


def test_numbers_that_are_names_are_read_as_names_and_that_is_said_where_it_matters():
    read = read_truth([1, 2, 3], ("1", "2", "3"), 3, 3)
    assert read.index.tolist() == [0, 1, 2]
    assert not read.notes  # 3 is no class number: nothing else can be meant
    read = read_truth([0, 1, 1], ("1", "0"), 2, 3)
    assert read.index.tolist() == [1, 0, 0]
    assert "0 means the class called '0', not class number 0" in read.notes[0]


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["N", "W", "W"], "y holds 'W', in 2 rows, which is no label of the edge model's: N, S, V"),
        (["N", "n", "V"], "'n'"),
        ([0, 1, 3], "y holds the class 3; the edge model has the 3 classes 0 to 2, called N, S, V"),
        ([0, 1], "one value for each of the 3 rows, got 2"),
        ([0, 1, np.nan], "NaN in 1 row, the first at 2"),
        ([0, 1, 0.5], "fractions"),
        (np.eye(3), r"y.argmax\(axis=1\)"),
        (np.zeros(3, "datetime64[s]"), "names or class numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_what_to_do(y, says):
    with pytest.raises(Rejected, match=says) as caught:
        read_truth(y, LABELS, 3, 3)
    assert caught.value.code == "HAL-305"


def test_names_need_a_model_that_has_names():
    with pytest.raises(Rejected, match="the edge model has no labels"):
        read_truth(["N"], None, 3, 1)
    assert read_truth([2], None, 3, 1).index.tolist() == [2]


def test_groups_are_one_for_each_row():
    assert read_groups(None, 2) is None
    assert read_groups(np.array(["a", 1], dtype=object), 2).tolist() == ["a", "1"]
    for groups in (["a"], [[1], [2]], [1.0, np.nan]):
        with pytest.raises(Rejected, match="HAL-305"):
            read_groups(groups, 2)
    for missing in (None, np.nan):
        with pytest.raises(Rejected, match="no group in 1 row;"):
            read_groups(np.array(["a", missing], dtype=object), 2)


def test_copies_are_found_and_a_few_may_be_chance():
    x = {"x": np.arange(200.0).reshape(100, 2)}
    truth = np.zeros(100, np.int64)
    assert counted_once(x, truth, None)[1] == ()
    twice = {"x": np.concatenate([x["x"], x["x"][:50]])}
    once, said = counted_once(twice, np.zeros(150, np.int64), None)
    assert once.tolist() == [True] * 100 + [False] * 50
    assert said[0].startswith("50 of the 150 rows are copies of another row")
    assert "the more careful one stands" in said[0]
    # Another label, or another patient, is another observation.
    assert counted_once(twice, np.arange(150), None)[1] == ()
    assert counted_once(twice, np.zeros(150, np.int64), np.arange(150))[1] == ()
    one = {"x": np.concatenate([x["x"], x["x"][:1]])}
    assert counted_once(one, np.zeros(101, np.int64), None)[0].all()
