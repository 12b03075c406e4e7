"""A row of outputs that is kept comes back as it was, and a way of answering is measured on what it said."""

from types import SimpleNamespace

import numpy as np
import pytest

from halocline.records import Anomaly, Interval, Task
from halocline.tuning.measures import measures_of
from halocline.tuning.rows import Truth
from halocline.tuning.said import Said, packed, some, unpacked


def test_a_kept_row_of_outputs_comes_back_with_names_types_and_shapes():
    outputs = {
        "boxes": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "count": np.array([1, 2], np.int64),
        "half": np.ones((2, 0), np.float16),
    }
    for row in range(2):
        back = unpacked(packed(outputs, row))
        assert list(back) == list(outputs)
        for name, array in outputs.items():
            assert back[name].dtype == array.dtype
            np.testing.assert_array_equal(back[name], array[row : row + 1])


def test_rows_are_picked_by_place_and_by_mask():
    assert some(["a", "b", "c"], np.array([2, 0])) == ["c", "a"]
    assert some(["a", "b", "c"], np.array([True, False, True])) == ["a", "c"]


def measured(task, edge, cloud, truth, up):
    said = Said(edge=edge, cloud=cloud, confidence=np.ones(len(edge)))
    return measures_of(SimpleNamespace(said=said, edge=SimpleNamespace(task=task)), truth, up)


def test_a_mean_error_leaves_out_rows_without_an_answer_and_counts_what_goes_up_by_the_cloud():
    near, far = Interval(1.0, 0.0, 2.0), Interval(5.0, 4.0, 6.0)
    truth = Truth(np.zeros(3, np.int64), values=[1.0, 1.0, 2.0], tolerance=1.0)
    (off,) = measured(Task.REGRESS, [near, None, far], [near, near, near], truth, [False, True, False])
    assert (off.edge, off.cloud, off.tiered) == (1.5, pytest.approx(1 / 3), 1.0)


def test_a_precision_without_an_alarm_is_not_told():
    calm, alarm = Anomaly(0.0, False), Anomaly(2.0, True)
    truth = Truth(np.array([0, 1, 1]))
    precision, recall = measured(Task.SCORE, [calm] * 3, [alarm, alarm, calm], truth, [False, True, False])
    assert (precision.edge, precision.cloud, precision.tiered) == (None, 0.5, 1.0)
    assert (recall.edge, recall.cloud, recall.tiered) == (0.0, 0.5, 0.5)
    assert measured(Task.SCORE, [calm], [calm], None, [False]) == ()
