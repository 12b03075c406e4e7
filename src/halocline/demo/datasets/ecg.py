"""Heart beats of the MIT-BIH arrhythmia database, and what a device knows of each without a label.

The folder holds beats.npy.xz (int16 `[beats, 128]`, 180 Hz, 50 samples before the R mark) and meta.npz
(label 0..4 = N, S, V, F, Q by AAMI; record; rr = previous, next and mean of the last ten intervals, seconds;
sample, the beat's place in its record).
"""

from pathlib import Path

import numpy as np

from halocline.demo.datasets.files import check_folder, check_rows, read_array, read_arrays
from halocline.demo.datasets.rows import Parts, Rows
from halocline.records import Array

FILES = ("beats.npy.xz", "meta.npz")
LABELS = ("N", "S", "V", "F", "Q")
SAMPLES = 128

DS1 = (
    101,
    106,
    108,
    109,
    112,
    114,
    115,
    116,
    118,
    119,
    122,
    124,
    201,
    203,
    205,
    207,
    208,
    209,
    215,
    220,
    223,
    230,
)
DS2 = (
    100,
    103,
    105,
    111,
    113,
    117,
    121,
    123,
    200,
    202,
    210,
    212,
    213,
    214,
    219,
    221,
    222,
    228,
    231,
    232,
    233,
    234,
)
"""Which records train and which test (de Chazal, O'Dwyer and Reilly 2004).

Each record is another patient, but for 201 and 202, which are of one man; the split is the published one.
"""

KNOWN_BEATS = 300
"""A device learns from so many beats, about the first four minutes, what is usual for its wearer."""
TIMING = slice(SAMPLES, SAMPLES + 5)
SHAPE = slice(SAMPLES + 5, SAMPLES + 8)
SUMMARY = slice(TIMING.start, SHAPE.stop)
"""Where in a row the eight numbers lie that sum a beat up."""

_RR_S = (0.15, 3.0)
"""Intervals beyond these, which noise and pauses in the recording cause, are cut to them."""
_MOST = 6.0


def read_ecg(folder: Path) -> Parts:
    """Train on the 22 patients of DS1, test on the 22 of DS2; groups are records. Raises HAL-304."""
    check_folder(folder, FILES, "the MIT-BIH beats")
    beats = read_array(folder / "beats.npy.xz")
    label, record, rr, sample = read_arrays(folder / "meta.npz", "label", "record", "rr", "sample")
    check_rows(folder / "beats.npy.xz", beats, (len(label), SAMPLES))
    check_rows(folder / "meta.npz", rr, (len(label), 3))

    def of(records: tuple[int, ...]) -> Rows:
        # Beats of all the patients as they come in: by time, not one patient after the other.
        mine = np.flatnonzero(np.isin(record, records))
        found = [features(beats[own], rr[own]) for own in (np.flatnonzero(record == one) for one in records)]
        by_record = np.concatenate([np.flatnonzero(record == one) for one in records])
        x = np.zeros((len(record), SUMMARY.stop), np.float32)
        x[by_record] = np.concatenate(found)
        order = mine[np.argsort(sample[mine], kind="stable")]
        return Rows(x[order], label[order].astype(np.int64), record[order].astype(np.int64))

    return Parts(train=of(DS1), tune=None, test=of(DS2))


def features(beats: Array, rr_s: Array) -> Array:
    """Float32 `[beats, 136]` of one patient's beats: how each differs from the usual one, and its summary."""
    if not len(beats):
        return np.zeros((0, SUMMARY.stop), np.float32)
    wave = beats.astype(np.float32)
    wave -= np.median(wave, axis=1, keepdims=True)
    usual = np.median(wave[:KNOWN_BEATS], axis=0)
    spread = max(float(usual.std()), 1.0)
    off = np.clip((wave - usual) / (2 * spread), -_MOST, _MOST)
    return np.concatenate([off, _timing(rr_s), _shape(wave, usual, spread)], axis=1).astype(np.float32)


def _timing(rr_s: Array) -> Array:
    """Logarithms of intervals against each other and against the patient's usual one, and the interval."""
    previous, following, recent = np.clip(rr_s.astype(np.float32), *_RR_S).T
    usual = np.median(previous[:KNOWN_BEATS])
    parts = [
        np.log(previous / usual),
        np.log(following / usual),
        np.log(previous / recent),
        np.log(following / previous),
        previous - 0.8,
    ]
    return np.asarray(np.clip(np.stack(parts, axis=1), -2, 2) * 2)


def _shape(wave: Array, usual: Array, spread: float) -> Array:
    """How alike the beat is to the usual one, how large it is, and how far off."""
    length = np.sqrt((wave**2).sum(axis=1) * (usual**2).sum() + 1e-6)
    parts = [
        2 * (wave @ usual) / length - 1,
        np.log(wave.std(axis=1) / spread + 1e-3),
        np.log(np.abs(wave - usual).mean(axis=1) / spread + 1e-3),
    ]
    return np.asarray(np.clip(np.stack(parts, axis=1), -3, 3))
