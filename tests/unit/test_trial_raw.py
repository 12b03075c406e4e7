"""A raw sample is shown as what it is: a picture, a spectrogram, lines or values."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from halocline.errors import Rejected
from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput, SoundInput
from halocline.trial.look import LARGEST_PX, Lines, Picture, Values
from halocline.trial.raw import look_of_raw

RNG = np.random.default_rng(0)
PHOTO = ImageInput(8, 8)
SOUND = SoundInput(rate_hz=8000, seconds=0.5)


def encoded(form: str, size: tuple[int, int] = (300, 100)) -> bytes:
    file = io.BytesIO()
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2] = (250, 10, 10)
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def wave(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, RNG.normal(0, 0.1, int(8000 * seconds)), 8000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("told", [PHOTO, None])
def test_a_picture_is_its_own_thumbnail_in_colour(form, told, tmp_path):
    file = tmp_path / f"a.{form.lower()}"
    file.write_bytes(encoded(form))
    for sample in (file, str(file), encoded(form)):
        look = look_of_raw(sample, told, None)
        assert isinstance(look, Picture)
        assert (look.width, look.height) == (LARGEST_PX, round(LARGEST_PX / 3))
        with Image.open(io.BytesIO(look.png)) as shown:
            red, green, _ = shown.convert("RGB").getpixel((5, 5))
        assert red > 200 > 60 > green


@pytest.mark.parametrize("told", [SOUND, None])
def test_a_sound_is_a_spectrogram(told, tmp_path):
    file = tmp_path / "a.wav"
    file.write_bytes(wave())
    for sample in (file, wave()):
        look = look_of_raw(sample, told, None)
        assert isinstance(look, Picture)
        assert look.is_sound
    decoded = RNG.normal(0, 0.1, (8000, 2)).astype(np.float32)
    assert isinstance(look_of_raw((decoded, 8000), SOUND, None), Picture)
    assert isinstance(look_of_raw(decoded[:, 0], SOUND, None), Picture)


def test_what_a_model_takes_says_how_its_rows_are_shown():
    assert isinstance(look_of_raw(RNG.random((9, 9)), SeriesInput(9, window=9), None), Lines)
    assert isinstance(look_of_raw(RNG.integers(0, 255, (9, 9)).astype(np.uint8), PHOTO, None), Picture)
    assert isinstance(look_of_raw(RNG.random(6), ArrayInput(), None), Values)
    assert isinstance(look_of_raw(RNG.random(64), None, "picture"), Picture)


def test_a_file_that_cannot_be_shown_says_which(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(encoded("PNG")[:80])
    with pytest.raises(Rejected):
        look_of_raw(broken, PHOTO, None)
    with pytest.raises(Rejected, match=r"gone\.png"):
        look_of_raw(Path("gone.png"), PHOTO, None)
