"""Write sounds.npz: what librosa's mel spectrograms make of a short sound. See README.md."""

import json
from pathlib import Path

import librosa
import numpy as np
import scipy
import soxr

RATE_HZ = 8000
BASE = {"n_fft": 512, "hop_length": 100, "n_mels": 32}
# What goes to melspectrogram, and what is done with it then.
CASES = {
    "slaney_ln": (BASE, "ln"),
    "slaney_db": (BASE, "db"),
    "htk_log10": ({**BASE, "htk": True, "norm": None}, "log10"),
    "magnitude": ({**BASE, "power": 1.0}, "ln"),
    "reflect": ({**BASE, "pad_mode": "reflect"}, "ln"),
    "not_centred": ({**BASE, "center": False}, "ln"),
    "short_window": ({**BASE, "win_length": 200, "window": "hamming"}, "ln"),
    "band": ({**BASE, "fmin": 100.0, "fmax": 3000.0}, "ln"),
}
FLOOR = 1e-8


def sound() -> np.ndarray:
    """A rising tone, a click and a little noise: float32 [4000], half a second."""
    time_s = np.arange(RATE_HZ // 2) / RATE_HZ
    wave = 0.4 * np.sin(2 * np.pi * (200 * time_s + 2500 * time_s**2))
    wave[1000] += 0.5
    return (wave + np.random.default_rng(0).normal(0, 1e-3, len(wave))).astype(np.float32)


def finished(bands: np.ndarray, log: str) -> np.ndarray:
    """The logarithm, floored."""
    if log == "db":
        return librosa.power_to_db(bands, ref=1.0, amin=FLOOR, top_db=None)
    bands = np.maximum(bands, FLOOR)
    return np.log(bands) if log == "ln" else np.log10(bands)


def main() -> None:
    """Write the file beside this one."""
    wave = sound()
    both = np.stack([wave, np.roll(wave, 50)])
    arrays = {"wave": wave, "stereo": both.T, "mono": librosa.to_mono(both)}
    for case, (options, log) in CASES.items():
        bands = librosa.feature.melspectrogram(y=wave, sr=RATE_HZ, **options)
        arrays[f"mel.{case}"] = finished(bands, log).astype(np.float32)
    arrays["resampled.16000"] = librosa.resample(wave, orig_sr=RATE_HZ, target_sr=16_000, res_type="soxr_vhq")
    made_with = {
        "librosa": librosa.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "soxr": soxr.__version__,
    }
    arrays["made_with"] = np.array(json.dumps(made_with))
    np.savez_compressed(Path(__file__).with_name("sounds.npz"), **arrays)


if __name__ == "__main__":
    main()
