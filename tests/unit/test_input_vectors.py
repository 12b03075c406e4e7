"""The promise that a described input gives what the usual libraries give: vectors made with them.

tests/data/README.md says how and with which versions.
"""

from pathlib import Path

import numpy as np
import pytest

from halocline.adapters.decoders import decoders
from halocline.inputs.description import ImageInput, SoundInput
from halocline.inputs.prepare import prepare_of
from halocline.inputs.resample import resample

DATA = Path(__file__).parent.parent / "data"
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PICTURES = {
    "stretch_bilinear": ImageInput(28, 20, **IMAGENET),
    "stretch_bicubic": ImageInput(28, 20, filter="bicubic", **IMAGENET),
    "stretch_nearest": ImageInput(28, 20, filter="nearest", **IMAGENET),
    "larger_bilinear": ImageInput(130, 120, **IMAGENET),
    "crop": ImageInput(24, 24, fit="crop", shorter_side=32, **IMAGENET),
    "crop_bicubic": ImageInput(24, 24, fit="crop", filter="bicubic", **IMAGENET),
    "grey": ImageInput(28, 20, colour="grey", mean=(0.5,), std=(0.25,)),
}
BASE = {"rate_hz": 8000, "seconds": 0.5, "n_fft": 512, "hop": 100, "mels": 32, "floor": 1e-8}
SOUNDS = {
    "slaney_ln": SoundInput(**BASE),
    "slaney_db": SoundInput(**BASE, log="db"),
    "htk_log10": SoundInput(**BASE, log="log10", mel_scale="htk", mel_norm="none"),
    "magnitude": SoundInput(**BASE, power=1),
    "reflect": SoundInput(**BASE, centre="reflect"),
    "not_centred": SoundInput(**BASE, centre="none"),
    "short_window": SoundInput(**BASE, window_samples=200, window="hamming"),
    "band": SoundInput(**BASE, low_hz=100, high_hz=3000),
}


@pytest.fixture(scope="module")
def pictures():
    return np.load(DATA / "pictures.npz")


@pytest.fixture(scope="module")
def sounds():
    return np.load(DATA / "sounds.npz")


@pytest.mark.parametrize("case", PICTURES)
def test_pictures_are_those_of_torchvision_to_the_bit(case, pictures):
    prepare = prepare_of(PICTURES[case], decoders())
    names = [name for name in pictures.files if name.endswith(f".{case}") and name.startswith("pixels.")]
    assert names
    for name in names:
        raw = pictures[name.removesuffix(f".{case}")]
        assert np.array_equal(prepare(raw), pictures[name]), name


@pytest.mark.parametrize("name", ["landscape", "portrait", "square"])
def test_jpeg_files_are_those_of_torchvision(name, pictures):
    # libjpeg may decode a pixel otherwise from one version to the next: by one level of 255 at most.
    row = prepare_of(PICTURES["crop"], decoders())(pictures[f"jpeg.{name}"].tobytes())
    assert np.abs(row - pictures[f"jpeg.{name}.crop"]).max() <= 1.01 / 255 / min(IMAGENET["std"])


@pytest.mark.parametrize("case", SOUNDS)
def test_log_mel_is_that_of_librosa(case, sounds):
    row = prepare_of(SOUNDS[case], decoders())(sounds["wave"])
    theirs = sounds[f"mel.{case}"]
    assert row.shape == theirs.shape
    assert np.abs(row - theirs).max() < 2e-5  # seen: 8e-6 in decibels, 1e-6 in the others


def test_stereo_and_resampling_are_those_of_librosa(sounds):
    mono = prepare_of(SoundInput(8000, 0.5, feature="waveform"), decoders())(sounds["stereo"])
    assert np.abs(mono - sounds["mono"]).max() < 1e-7
    ours, theirs = resample(sounds["wave"].astype(np.float64), 8000, 16_000), sounds["resampled.16000"]
    assert len(ours) == len(theirs)
    inner = slice(200, -200)
    error = ours[inner] - theirs[inner]
    assert np.sqrt(np.mean(error**2)) < 1e-2 * np.sqrt(np.mean(theirs[inner] ** 2))
