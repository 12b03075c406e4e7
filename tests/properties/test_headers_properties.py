"""Looking at a file's head and end tells a cut file from a whole one, and never fails."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from halocline.data.headers import look_at


def encoded(form):
    file = io.BytesIO()
    if form == "WAV":
        soundfile.write(file, np.linspace(-0.5, 0.5, 400), 8000, format="WAV", subtype="PCM_16")
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
        options = {"exif": _with_thumbnail()} if form == "JPEG" else {}
        Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def _with_thumbnail():
    """EXIF bytes that hold the end of a picture, as those of cameras do."""
    exif = Image.Exif()
    exif[0x927C] = b"\xff\xd8\xff\xd9" * 4
    return exif


WHOLE = {form: encoded(form) for form in ("JPEG", "PNG", "WAV")}


@pytest.mark.parametrize("form", WHOLE)
def test_a_whole_file_is_whole_and_its_size_is_told(form):
    seen = look_at(io.BytesIO(WHOLE[form]))
    assert (seen.form, seen.why) == (form.lower(), None)
    if form == "WAV":
        assert (seen.seconds, seen.rate_hz) == (0.05, 8000)
    else:
        assert (seen.width, seen.height) == (7, 9)


@pytest.mark.parametrize("form", WHOLE)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_anywhere_is_told(form, share):
    held = WHOLE[form]
    keep = min(int(share * len(held)), len(held) - (5 if form == "PNG" else 1))  # after IEND comes its sum
    assert look_at(io.BytesIO(held[:keep])).why is not None


@pytest.mark.parametrize(
    "between", [b"\xff\x01", b"\xff\xd0", b"\xff\xff\xff", b"\xff\xff\x01\xff\xff"], ids=bytes.hex
)
def test_markers_without_a_length_and_filling_leave_a_jpeg_whole(between):
    held = WHOLE["JPEG"]
    seen = look_at(io.BytesIO(held[:2] + between + held[2:]))
    assert (seen.width, seen.height, seen.why) == (7, 9, None)


def test_a_picture_without_a_size_is_told():
    held = WHOLE["PNG"]
    assert look_at(io.BytesIO(held[:16] + bytes(8) + held[24:])).why == "it states no size"


@given(head=st.sampled_from([b"", *(held[:40] for held in WHOLE.values())]), rest=st.binary(max_size=300))
def test_no_bytes_are_too_strange_to_look_at(head, rest):
    seen = look_at(io.BytesIO(head + rest))
    assert seen.why is None or "\n" not in seen.why
