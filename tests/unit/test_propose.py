"""The promises of a proposed description: it fits the graph, and what a graph cannot say is named."""

import pytest

from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput
from halocline.inputs.propose import propose


def keys(proposal):
    """The keys that the proposal says it does not know."""
    return " ".join(line.split(":")[0] for line in proposal.unknown)


@pytest.mark.parametrize(
    ("row", "dtype", "told"),
    [
        ((3, 24, 32), "float32", ImageInput(32, 24)),
        ((24, 32, 3), "float32", ImageInput(32, 24, layout="hwc")),
        ((24, 32, 3), "uint8", ImageInput(32, 24, layout="hwc", dtype="uint8", scale=1)),
        ((1, 28, 28), "float32", ImageInput(28, 28, colour="grey")),
        ((3, -1, -1), "float16", ImageInput(224, 224, dtype="float16")),
        ((24, 2), "float32", SeriesInput(2, window=24)),
        ((2, 24), "float64", SeriesInput(2, window=24, layout="ct", dtype="float64")),
        ((24, 2), "int64", ArrayInput("int64")),
        ((64,), "float32", ArrayInput("float32")),
        ((3, 4, 5), "float32", ArrayInput("float32")),
        ((), "float32", ArrayInput("float32")),
        ((2, -1), "float32", ArrayInput("float32")),
        ((5,), "object", None),
    ],
)
def test_a_proposal_fits_the_shape(row, dtype, told):
    assert propose("x", dtype, row).input == told


def test_what_a_graph_cannot_say_is_named():
    picture = propose("x", "float32", (3, 24, 32))
    assert all(key in keys(picture) for key in ("fit and filter", "colour", "scale, mean and std"))
    assert "width and height" in keys(propose("x", "float32", (3, -1, 24)))
    assert "kind" in keys(propose("x", "float32", (1, 24, 32)))
    assert "kind" in keys(propose("x", "float32", (24, 32)))
    assert "scale, mean" not in keys(propose("x", "uint8", (3, 24, 32)))


def test_a_graph_that_scales_its_own_input_is_noticed():
    assert any(
        "Sub, Div" in line for line in propose("x", "float32", (3, 24, 32), ("Sub", "Div", "Conv")).unknown
    )
    assert not any("begins with" in line for line in propose("x", "float32", (3, 24, 32), ("Conv",)).unknown)


def test_a_name_that_speaks_of_sound_is_no_picture():
    found = propose("mel_spectrogram", "float32", (1, 64, 101))
    assert found.input == ArrayInput("float32")
    assert "kind = 'sound'" in found.unknown[0]
