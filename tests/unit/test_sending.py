"""What travels of rows that go up: the cloud's own tensor or the files, never the tensor of another model."""

import msgspec
import numpy as np
import pytest

from halocline.edge.sending import (
    LENGTH_BYTES,
    RawRows,
    Send,
    Sender,
    copy_of,
    going_of,
    going_of_one,
    payload_bytes_of,
    some_of,
)
from halocline.errors import Misconfigured, Rejected
from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput
from halocline.ports import LateFeed
from halocline.records import ModelRef, ModelSpec, TensorSpec

SMALL = ImageInput(width=2, height=2, colour="grey")
LARGE = ImageInput(width=4, height=4, colour="grey")
FEED = {"x": np.zeros((2, 1, 2, 2), np.float32)}
FILES = (b"a" * 10, b"b" * 10)
TENSOR = np.ones((1, 1, 4, 4), np.float32)


def spec(told, side=2, name="x"):
    return ModelSpec(ModelRef("m"), (TensorSpec(name, "float32", (-1, 1, side, side)),), (), input=told)


class Elsewhere:
    """An upstream that says what it wants; it keeps what it was given to prepare."""

    def __init__(self, told=None, *, takes_raw=False, known=True):
        self.spec = spec(told, 4, "y") if known else None
        self.takes_raw = takes_raw
        self.prepared = []

    def prepare(self, samples):
        self.prepared.append(list(samples))
        return {"y": np.concatenate([TENSOR] * len(samples))}


def sent(upstream, going, edge=SMALL, send=Send.AUTO, to_cloud=None):
    return Sender(upstream, spec(edge), send, to_cloud).feed(going)


def test_a_cloud_without_a_description_gets_the_edges_tensor():
    assert sent(Elsewhere(None), RawRows(FILES, FEED)) is FEED


def test_a_cloud_with_one_gets_its_own_tensor_of_the_raw_samples():
    cloud = Elsewhere(LARGE)
    assert sent(cloud, RawRows(FILES, FEED))["y"].shape == (2, 1, 4, 4)
    assert cloud.prepared == [list(FILES)]


def test_what_an_edge_without_a_description_takes_is_the_raw_sample():
    cloud = Elsewhere(LARGE)
    sent(cloud, FEED, edge=None)
    np.testing.assert_array_equal(cloud.prepared[0], FEED["x"])


def test_tiers_that_want_the_same_prepare_once():
    cloud = Elsewhere(SMALL)
    cloud.spec = spec(SMALL, name="y")
    assert sent(cloud, RawRows(FILES, FEED)) is FEED
    assert not cloud.prepared


@pytest.mark.parametrize(
    ("send", "size", "travels"),
    [
        (Send.AUTO, 4 * 16 - LENGTH_BYTES - 1, "files"),
        (Send.AUTO, 4 * 16 - LENGTH_BYTES, "tensor"),
        (Send.RAW, 10_000, "files"),
        (Send.TENSOR, 1, "tensor"),
    ],
)
def test_the_smaller_travels_unless_it_is_said(send, size, travels):
    feed = sent(Elsewhere(LARGE, takes_raw=True), RawRows((bytes(size),), FEED), send=send)
    assert (feed["y"].dtype.kind == "O") == (travels == "files")
    if travels == "files":
        assert payload_bytes_of(feed) == size + LENGTH_BYTES
    else:
        assert payload_bytes_of(feed) == 64


def test_nothing_is_prepared_to_know_what_would_travel():
    for cloud, samples, expected in (
        (Elsewhere(LARGE), FILES, 2 * 64),
        (Elsewhere(LARGE, takes_raw=True), FILES, 2 * 14),
        (Elsewhere(LARGE), np.zeros((2, 3, 3), np.uint8), 2 * 64),
    ):
        load = Sender(cloud, spec(SMALL), Send.AUTO, None).load(RawRows(samples, FEED))
        assert (load.bytes, load.made, cloud.prepared) == (expected, None, [])
    late = Sender(Elsewhere(known=False), spec(SMALL), Send.AUTO, None).load(RawRows(FILES, FEED))
    assert (late.bytes, late.made) == (FEED["x"].nbytes, None)
    made = Sender(Elsewhere(None), spec(None), Send.AUTO, lambda x: x[:, :, :1]).load(FEED)
    assert (made.bytes, made.made["x"].shape) == (16, (2, 1, 1, 2))


def test_a_path_travels_as_the_bytes_of_its_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"file")
    cloud = Elsewhere(LARGE, takes_raw=True)
    for path in (tmp_path / "a.jpg", str(tmp_path / "a.jpg")):
        assert sent(cloud, RawRows((path,), FEED))["y"].tolist() == [b"file"]
    assert not cloud.prepared


def test_files_do_not_travel_among_decoded_samples_or_to_who_does_not_take_them():
    for cloud, samples in (
        (Elsewhere(LARGE, takes_raw=True), (b"a", np.zeros((2, 2), np.uint8))),
        (Elsewhere(LARGE), (b"a", b"b")),
    ):
        assert sent(cloud, RawRows(samples, FEED), send=Send.RAW)["y"].dtype == np.float32


def test_a_ready_tensor_of_the_edge_is_not_the_clouds():
    with pytest.raises(Rejected, match="HAL-301"):
        sent(Elsewhere(LARGE), FEED)
    assert sent(Elsewhere(None), FEED) is FEED


def test_before_the_cloud_is_known_it_is_left_open_what_travels():
    cloud = Elsewhere(known=False)
    late = sent(cloud, RawRows(FILES, FEED))
    assert isinstance(late, LateFeed)
    assert len(late["x"]) == 2
    cloud.spec = spec(LARGE, 4, "y")
    assert list(late.made()) == ["y"]
    late = sent(Elsewhere(None, known=False), FEED)
    assert isinstance(late, LateFeed)
    assert late.made() is FEED


def test_to_cloud_and_two_descriptions_contradict_each_other_whenever_that_is_known():
    with pytest.raises(Misconfigured, match="HAL-102"):
        Sender(Elsewhere(LARGE), spec(SMALL), Send.AUTO, lambda x: x)
    cloud = Elsewhere(known=False)
    sender = Sender(cloud, spec(SMALL), Send.AUTO, lambda x: x)
    cloud.spec = spec(LARGE, 4, "y")
    with pytest.raises(Misconfigured, match="HAL-102"):
        sender.feed(RawRows(FILES, FEED))
    np.testing.assert_array_equal(sent(Elsewhere(LARGE), FEED, edge=None, to_cloud=lambda x: x + 1)["x"], 1)


def test_files_by_name_are_raw_samples_and_tensors_by_name_are_not():
    files = np.array(FILES, dtype=object)
    for given in ({"x": files}, {"x": list(FILES)}):
        going = going_of(given, FEED, spec(SMALL))
        assert isinstance(going, RawRows)
        assert list(going.samples) == list(FILES)
    assert list(going_of_one({"x": FILES[0]}, FEED, spec(SMALL)).samples) == [FILES[0]]
    assert going_of({"x": FEED["x"]}, FEED, spec(SMALL)) is FEED
    assert going_of(FILES, FEED, spec(None)) is FEED


def test_a_plain_array_may_come_with_its_batch_axis_and_a_series_keeps_its_own():
    feed = {"x": np.zeros((1, 3), np.float32)}
    described = msgspec.structs.replace(
        spec(ArrayInput(scale=2.0)), inputs=(TensorSpec("x", "float32", (-1, 3)),)
    )
    assert going_of_one(feed["x"], feed, described).samples[0].shape == (3,)
    assert going_of_one(feed["x"][0], feed, described).samples[0].shape == (3,)
    flat = SeriesInput(columns=3, window=1, layout="f")
    described = msgspec.structs.replace(described, input=flat)
    assert going_of_one(np.zeros((1, 3)), feed, described).samples[0].shape == (1, 3)


def test_some_rows_keep_their_samples_and_copies_are_nobody_elses():
    pixels = np.zeros((2, 2), np.uint8)
    going = RawRows([b"a", bytearray(b"b"), (pixels, 8000)], {"x": np.arange(3.0)})
    some = some_of(going, np.array([0, 2]))
    assert (some.samples[0], some.samples[1][0] is pixels, some.feed["x"].tolist()) == (b"a", True, [0, 2])
    copied = copy_of(going)
    pixels += 1
    going.feed["x"][:] = 9
    assert copied.samples[2][0].max() == 0
    assert copied.samples[1] == b"b"
    assert copied.feed["x"].tolist() == [0, 1, 2]
