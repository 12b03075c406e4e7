"""Detectors are measured as everybody measures them: against figures worked out by hand."""

import numpy as np
import pytest

from halocline.errors import Rejected
from halocline.records import Boxes
from halocline.stats.detection import average_precision, mean_average_precision
from halocline.stats.overlap import iou, is_all_right, matches


def boxes(*rows):
    """Of (left, top, right, bottom, class, score) rows."""
    array = np.array(rows, float).reshape(-1, 6)
    return Boxes(
        xyxy=array[:, :4].astype(np.float32),
        index=array[:, 4].astype(np.int64),
        scores=array[:, 5].astype(np.float32),
    )


def test_overlap_is_intersection_over_union():
    one = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [5, 5, 5, 5]], float)
    other = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 5, 5]], float)
    np.testing.assert_allclose(iou(one, other), [[1 / 7, 1, 0], [0, 1 / 4, 0], [0, 0, 0]])


def test_each_thing_is_matched_once_by_the_likeliest():
    true = boxes((0, 0, 1, 1, 0, 1))
    found = boxes((0, 0, 0.9, 1, 0, 0.5), (0, 0, 0.8, 1, 0, 0.9))
    assert matches(found, true).tolist() == [-1, 0]
    assert not is_all_right(found, true)


def test_average_precision_is_as_worked_out_by_hand():
    # Three things in two pictures. Found, by score: right, wrong, right. Precision at recall 1/3 is 1, at
    # 2/3 it is 2/3, and recall 1 is never reached. Of the 101 recalls 34 (0 to .33) are at most 1/3, and 33
    # more (.34 to .66) at most 2/3.
    true = [boxes((0, 0, 1, 1, 0, 1), (2, 0, 3, 1, 0, 1)), boxes((0, 0, 1, 1, 0, 1))]
    found = [boxes((0, 0, 1, 1, 0, 0.9), (2, 0, 3, 1, 0, 0.7)), boxes((5, 5, 6, 6, 0, 0.8))]
    expected = (34 * 1 + 33 * 2 / 3) / 101
    assert average_precision(found, true, 0) == pytest.approx(expected)


def test_the_mean_is_over_classes_that_occur_and_over_overlaps():
    true = [boxes((0, 0, 10, 10, 0, 1), (20, 0, 30, 10, 1, 1))]
    # The first is found at an overlap of .72 (right at .5 to .7), the second exactly; the third is no class.
    found = [boxes((0, 0, 10, 7.2, 0, 0.9), (20, 0, 30, 10, 1, 0.8), (50, 0, 60, 10, 2, 0.9))]
    figures = mean_average_precision(found, true)
    assert figures.at_half == pytest.approx(1.0)
    assert figures.mean == pytest.approx((5 / 10 + 1) / 2)
    assert set(figures.by_class) == {0, 1}


def test_a_class_that_was_never_found_counts_as_zero():
    assert mean_average_precision([boxes()], [boxes((0, 0, 1, 1, 3, 1))]).at_half == 0.0


def test_where_there_is_nothing_to_find_there_is_no_figure():
    assert np.isnan(mean_average_precision([boxes((0, 0, 1, 1, 0, 0.9))], [boxes()]).at_half)
    with pytest.raises(Rejected, match="2 answers for 1 pictures"):
        mean_average_precision([boxes(), boxes()], [boxes()])
