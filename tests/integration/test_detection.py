"""Detectors made here find what was composed, and those that saw nothing are asked about."""

import numpy as np
import pytest

import halocline as hc
from halocline.demo.detection.canvas import SIDE, Items, compose, mixed_counts
from halocline.demo.detection.pair import detectors
from halocline.records import Boxes
from halocline.stats.detection import mean_average_precision
from halocline.stats.overlap import iou
from halocline.tuning.calibration import calibrated


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALOCLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield detectors()


@pytest.fixture(scope="module")
def items():
    """Squares of one size in the middle of a frame."""
    picture = np.zeros((28, 28), np.float32)
    picture[4:24, 9:19] = 1.0
    return Items(picture[None].repeat(3, axis=0), np.array([0, 1, 1]), ("one", "two"))


def scores(model, scenes, order=None):
    said = [each.value for each in model.predict_batch(scenes.pictures[:, None])]
    if order is not None:
        said = [
            Boxes(
                xyxy=each.xyxy,
                index=np.array([order.index(name) for name in each.labels], int),
                scores=each.scores,
            )
            for each in said
        ]
    return mean_average_precision(said, scenes.truth).at_half


def test_a_scene_says_where_each_item_lies(items):
    scenes = compose(items, [0, 1, 6], np.random.default_rng(0))
    assert scenes.counts[0] == 0
    assert scenes.counts[1] == 1
    left, top, right, bottom = (scenes.truth[1].xyxy[0] * SIDE).round().astype(int)
    assert (right - left, bottom - top) == (10, 20)
    inside = scenes.pictures[1][top:bottom, left:right]
    assert inside.mean() > scenes.pictures[1].mean() + 0.1
    overlap = iou(scenes.truth[2].xyxy, scenes.truth[2].xyxy)
    assert (overlap[~np.eye(len(overlap), dtype=bool)] < 0.1).all()


def test_scenes_of_a_seed_are_always_the_same(items):
    one, other = (compose(items, mixed_counts(6, rng), rng) for rng in map(np.random.default_rng, (5, 5)))
    np.testing.assert_array_equal(one.pictures, other.pictures)


def test_the_larger_detector_finds_more_and_both_together_lie_between(pair):
    edge, cloud = scores(pair.edge, pair.test), scores(pair.cloud, pair.test, list(pair.edge.spec.labels))
    with hc.Tiered(pair.edge, pair.cloud, threshold=0.05, deadline_s=60.0) as tiered:
        replies = tiered.infer_batch(pair.test.pictures[:, None])
    both = mean_average_precision([each.value for each in replies], pair.test.truth).at_half
    assert 0.25 < edge < both < cloud
    assert cloud > 0.7


def test_a_scene_in_which_the_edge_found_nothing_goes_up_where_something_is_there(pair):
    """Without the rule such an answer is as sure as any can be."""
    said = pair.edge.predict_batch(pair.test.pictures[:, None])
    nothing = [each.confidence for each in said if not len(each.value)]
    blind = [
        each.confidence
        for each, there in zip(said, pair.test.truth, strict=True)
        if not len(each.value) and len(there)
    ]
    empty = [
        each.confidence
        for each, there in zip(said, pair.test.truth, strict=True)
        if not len(each.value) and not len(there)
    ]
    assert len(blind) >= 3
    assert np.median(blind) < np.quantile(nothing, 0.2) <= np.median(empty)


def test_calibration_says_what_share_is_right(pair):
    """Scenes of others than those it was fitted on."""
    said = pair.edge.predict_batch(pair.test.pictures[:, None])
    sure = np.array([each.confidence for each in said])
    assert pair.edge_form.floor is not None
    empty = pair.test.counts == 0
    assert sure[empty].mean() > 0.9
    assert sure[pair.test.counts > 4].mean() < 0.3


def test_too_few_pictures_leave_the_stated_rule(pair):
    form = calibrated(pair.cloud, pair.test.pictures[:40, None], pair.test.truth[:40])
    assert (form.floor, form.margin) == (None, None)


def test_boxes_for_some_pictures_are_refused(pair):
    with pytest.raises(hc.Rejected, match="y must have one value for each of the 4 rows, got 3"):
        calibrated(pair.edge, pair.test.pictures[:4, None], pair.test.truth[:3])
