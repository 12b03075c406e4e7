"""The promise of our resize: to the bit what Pillow's C code gives, for any picture, size and filter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from halocline.adapters.pillow import resize as by_pillow
from halocline.inputs.pictures import luma
from halocline.inputs.resize import resize

SIDES = st.integers(1, 70)
FILTERS = st.sampled_from(["bilinear", "bicubic", "nearest"])


def drawn(seed, rows, columns, *, coloured, hard):
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3) if coloured else (rows, columns))
    return (np.where(pixels > 127, 255, 0) if hard else pixels).astype(np.uint8)


@settings(max_examples=300, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, FILTERS, st.booleans(), st.booleans(), st.integers(0, 9))
def test_a_resized_array_is_pillows_to_the_bit(rows, columns, height, width, how, coloured, hard, seed):
    pixels = drawn(seed, rows, columns, coloured=coloured, hard=hard)
    ours = resize(pixels, width, height, how)
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, by_pillow(pixels, width, height, how))


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, SIDES, FILTERS, st.integers(0, 9))
def test_one_axis_is_what_any_pillow_gives_in_one_call(rows, columns, width, how, seed):
    pixels = drawn(seed, rows, columns, coloured=True, hard=True)
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "nearest": Image.NEAREST}
    plain = Image.fromarray(pixels).resize((width, rows), filters[how])
    assert np.array_equal(resize(pixels, width, rows, how), np.asarray(plain))


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    ("size", "wanted"), [((1500, 1100), (224, 224)), ((9, 2), (640, 480)), ((48, 64), (48, 64))]
)
def test_large_steps_are_exact_too(how, size, wanted):
    pixels = drawn(3, *size, coloured=True, hard=False)
    assert np.array_equal(resize(pixels, *wanted, how), by_pillow(pixels, *wanted, how))


def test_grey_is_pillows_for_every_colour():
    colours = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    assert np.array_equal(luma(colours), np.asarray(Image.fromarray(colours).convert("L")))
