"""What a described input costs over the same steps by hand: a JPEG with Pillow and numpy, a sound with scipy.

The results are compared too: what is by hand gives the same tensor.
"""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from common import CONTROL, SEED, arguments, measure, report
from halocline.adapters.decoders import decoders
from halocline.inputs.description import ImageInput, SeriesInput, SoundInput
from halocline.inputs.prepare import prepare_of
from halocline.inputs.resize import resize

AT_MOST = {"jpeg.stretch.ratio": 1.1, "jpeg.crop.ratio": 1.1, "log_mel.ratio": 1.1}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WIDTH, HEIGHT, SIDE = 640, 480, 224
RATE_HZ, MELS, FFT, HOP = 16_000, 64, 512, 160
SAME = 1e-4


def main() -> int:
    options = arguments(__doc__ or "", rounds={"type": int, "default": 60, "help": "interleaved rounds"})
    pixels = _photo()
    jpeg = _encoded(pixels)
    stretch = ImageInput(SIDE, SIDE, mean=MEAN, std=STD)
    crop = ImageInput(SIDE, SIDE, fit="crop", shorter_side=256, mean=MEAN, std=STD)
    results = {
        "stretch": _compared(stretch, jpeg, _stretched_by_hand, options.rounds),
        "crop": _compared(crop, jpeg, _cropped_by_hand, options.rounds),
    }
    mel, mel_valid = _compared(
        SoundInput(RATE_HZ, 1.0, n_fft=FFT, hop=HOP, mels=MELS), _sound(), _log_mel_by_hand(), options.rounds
    )
    values: dict[str, Any] = {
        "jpeg": {name: numbers for name, (numbers, _) in results.items()},
        "log_mel": mel,
        "alone_us": _alone(pixels, stretch, options.rounds),
    }
    valid = mel_valid and all(valid for _, valid in results.values())
    return report("input", values, options, at_most=AT_MOST, valid=valid)


def _compared(
    told: ImageInput | SoundInput, sample: Any, by_hand: Callable[[Any], Any], rounds: int
) -> tuple[dict[str, float], bool]:
    prepare = prepare_of(told, decoders())
    difference = float(np.abs(prepare(sample) - by_hand(sample)).max())
    assert difference < SAME, f"by hand it is another tensor: {difference}"
    timings = measure(
        {"raw": lambda: by_hand(sample), "ours": lambda: prepare(sample)}, rounds=rounds, round_s=0.02
    )
    numbers = {
        "by_hand_us": timings.median_s("raw") * 1e6,
        "ours_us": timings.median_s("ours") * 1e6,
        "ratio": timings.ratio("ours"),
        "control": timings.ratio(CONTROL),
    }
    return numbers, timings.is_valid


def _alone(pixels: Any, told: ImageInput, rounds: int) -> dict[str, float]:
    """Microseconds of what has no counterpart by hand: a camera's array with and without Pillow, a window."""
    without_pillow = decoders()._replace(resize=resize)
    series = prepare_of(SeriesInput(4, window=64, mean=(0,) * 4, std=(1,) * 4), decoders())
    rows = np.random.default_rng(SEED).standard_normal((64, 4))
    camera, bare = prepare_of(told, decoders()), prepare_of(told, without_pillow)
    timings = measure(
        {
            "raw": lambda: camera(pixels),
            "camera_without_pillow": lambda: bare(pixels),
            "series_64x4": lambda: series(rows),
        },
        rounds=rounds,
        round_s=0.02,
        attempts=1,
    )
    names = {"raw": "camera", "camera_without_pillow": "camera_without_pillow", "series_64x4": "series_64x4"}
    return {shown: timings.median_s(name) * 1e6 for name, shown in names.items()}


def _stretched_by_hand(jpeg: bytes) -> Any:
    from PIL import Image

    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return _numbers_by_hand(np.asarray(image))


def _cropped_by_hand(jpeg: bytes) -> Any:
    from PIL import Image

    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((341, 256), Image.Resampling.BILINEAR)
    return _numbers_by_hand(np.asarray(image.crop((58, 16, 58 + SIDE, 16 + SIDE))))


def _numbers_by_hand(pixels: Any) -> Any:
    x = pixels.astype(np.float32) / 255.0
    x = (x - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def _log_mel_by_hand() -> Callable[[Any], Any]:
    """As one writes it with scipy, the filter bank made once."""
    from scipy import fft, signal

    from halocline.inputs.sounds import mel_bands

    window = signal.get_window("hann", FFT)
    told = SoundInput(RATE_HZ, 1.0, n_fft=FFT, hop=HOP, mels=MELS)
    bank = np.ascontiguousarray(mel_bands(np.eye(FFT // 2 + 1), told).T)

    def log_mel(wave: Any) -> Any:
        padded = np.pad(wave.astype(np.float64), FFT // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP] * window
        power = np.abs(fft.rfft(frames, axis=1)) ** 2
        return np.log(np.maximum(bank @ power.T, 1e-10)).astype(np.float32)

    return log_mel


def _photo() -> Any:
    """Light, edges and a little noise, as a photo has them: uint8 `[480, 640, 3]`."""
    rng = np.random.default_rng(SEED)
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    light = np.stack([127 + 90 * np.sin(across / 60 + down / (40 + 9 * at)) for at in range(3)], axis=2)
    light[HEIGHT // 3 : HEIGHT // 2, WIDTH // 4 : WIDTH // 2] = 30
    return np.clip(light + rng.normal(0, 6, light.shape), 0, 255).astype(np.uint8)


def _encoded(pixels: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _sound() -> Any:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(SEED).normal(0, 1e-3, RATE_HZ)
    return (0.3 * np.sin(2 * np.pi * 300 * time_s) + noise).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
