"""The promise to whoever gets files from others: any bytes are a row of the tensor, or are refused."""

import io
import warnings

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from halocline.adapters.decoders import decoders
from halocline.errors import Rejected
from halocline.inputs.description import ImageInput, SoundInput
from halocline.inputs.prepare import prepare_of

PICTURE = ImageInput(8, 8, fit="crop")
SOUND = SoundInput(8000, 0.1, n_fft=128, hop=64, mels=8)


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def recorded(subtype):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).normal(0, 0.1, (300, 2)), 8000, subtype, format="WAV")
    return buffer.getvalue()


def pictures():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        saved(image, "JPEG", exif=exif),
        saved(image, "JPEG", progressive=True),
        saved(image.convert("CMYK"), "JPEG"),
        saved(image, "PNG"),
        saved(image.quantize(16), "PNG", transparency=bytes(range(16))),
        saved(image.convert("1"), "PNG", exif=exif),
    ]


CHANGES = st.lists(
    st.tuples(
        st.floats(0, 0.9999), st.sampled_from(["set", "cut", "put"]), st.binary(min_size=1, max_size=4)
    ),
    max_size=5,
)


def damaged(data, changes):
    data = bytearray(data)
    for share, change, new in changes:
        at = int(share**3 * len(data))  # mostly near the beginning, where headers are
        if change == "set":
            data[at : at + len(new)] = new
        elif change == "put":
            data[at:at] = new
        else:
            del data[at : at + new[0]]
    return bytes(data)


def is_row_or_refused(told, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            row = prepare_of(told, decoders())(data)
        except Rejected:
            return
    assert row.shape == told.row_shape
    assert np.isfinite(row).all()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(pictures()), CHANGES)
def test_a_damaged_picture_is_a_row_or_refused(data, changes):
    is_row_or_refused(PICTURE, damaged(data, changes))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([recorded(kind) for kind in ("PCM_16", "PCM_24", "FLOAT")]), CHANGES)
def test_a_damaged_sound_is_a_row_or_refused(data, changes):
    is_row_or_refused(SOUND, damaged(data, changes))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(data):
    is_row_or_refused(PICTURE, data)
    is_row_or_refused(SOUND, data)
