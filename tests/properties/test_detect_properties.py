"""Whatever a detector gives: boxes are in the picture, none doubles another, and doubt never makes surer."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import halocline as hc
from halocline.decide.tasks import task_reader
from halocline.decide.tasks.same import is_same
from halocline.decide.tasks.suppress import suppress
from halocline.records import ModelRef, ModelSpec, TensorSpec
from halocline.stats.overlap import iou

CLASSES = 3
FORM = hc.DetectOutput(layout="yolo", axes="channels_last", units="fractions")
SPEC = ModelSpec(
    ref=ModelRef("m"),
    inputs=(TensorSpec("x", "float32", (1, 3)),),
    outputs=(TensorSpec("out", "float32", (-1, -1, -1)),),
    task=FORM.task,
    output=FORM,
)

numbers = st.floats(0, 1, width=32)
pictures = st.integers(0, 12).flatmap(lambda n: arrays(np.float32, (1, n, 4 + CLASSES), elements=numbers))
wild = st.integers(0, 6).flatmap(
    lambda n: arrays(np.float32, (1, n, 4 + CLASSES), elements=st.floats(width=32, allow_nan=True))
)


def read(outputs):
    said = task_reader(SPEC).read({"out": outputs}, len(outputs))
    return said.values[0], float(said.confidence[0])


@given(pictures)
@settings(max_examples=200, deadline=None)
def test_boxes_lie_in_the_picture_likeliest_first_and_none_doubles_another(outputs):
    boxes, sure = read(outputs)
    assert 0.0 <= sure <= 1.0
    assert ((boxes.xyxy >= 0) & (boxes.xyxy <= 1)).all()
    assert (boxes.scores >= np.float32(FORM.score_threshold)).all()
    assert (np.diff(boxes.scores) <= 0).all()
    overlap = iou(boxes.xyxy, boxes.xyxy) * (boxes.index[:, None] == boxes.index[None])
    np.fill_diagonal(overlap, 0)
    assert (overlap <= FORM.iou_threshold + 1e-5).all()
    assert is_same(boxes, boxes)


@given(wild)
@example(np.array([[[-0.25, -0.25, 1, 1, -0.25, -0.25, -0.25]]], np.float32))
@settings(max_examples=200, deadline=None)
def test_garbage_is_an_answer_in_the_picture_or_none(outputs):
    with np.errstate(all="ignore"):
        boxes, sure = read(outputs)
    if np.isnan(outputs[:, :, 4:]).any():
        assert (boxes, sure) == (None, -1.0)
    else:
        assert np.isfinite(boxes.xyxy).all()
        assert 0.0 <= sure <= 1.0


@given(pictures, st.floats(0.0, 0.1875, width=32))
@settings(max_examples=100, deadline=None)
def test_one_more_candidate_below_the_threshold_makes_nothing_surer(outputs, score):
    boxes, sure = read(outputs)
    more = np.zeros((1, 1, 4 + CLASSES), np.float32)
    more[0, 0, :5] = 0.5, 0.5, 0.2, 0.2, score
    with_more, less_sure = read(np.concatenate([outputs, more], axis=1))
    assert less_sure <= sure
    np.testing.assert_array_equal(with_more.xyxy, boxes.xyxy)


@given(pictures)
@settings(max_examples=100, deadline=None)
def test_what_is_kept_covers_everything_that_went(outputs):
    corner, size = outputs[0, :, :2].astype(float), outputs[0, :, 2:4].astype(float)
    boxes = np.concatenate([corner, corner + size], axis=1)
    index, scores = outputs[0, :, 4:].argmax(axis=1), outputs[0, :, 4:].max(axis=1, initial=0.0)
    kept = suppress(boxes, index, scores, 0.45, 100)
    for gone in set(range(len(boxes))) - set(kept.tolist()):
        rivals = [at for at in kept.tolist() if index[at] == index[gone] and scores[at] >= scores[gone]]
        assert (iou(boxes[gone][None], boxes[rivals]) > 0.45).any()
