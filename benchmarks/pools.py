"""Make pools of held-out rows that two quick models have answered: confidence, edge right, cloud right."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from common import SEED

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RECIPE = 2
"""Raised when a model or a split changes, so that no cached pool of an older recipe is taken."""

Rows = np.ndarray[Any, np.dtype[Any]]


class Pool(msgspec.Struct, frozen=True, eq=False):
    """A population of rows that neither model was trained on, `[n]` each."""

    confidence: Rows
    edge_correct: Rows
    cloud_correct: Rows


def pools(data: Path = DATA, names: tuple[str, ...] | None = None) -> dict[str, Pool]:
    """Every pool whose data are there (digits always are), trained once and cached."""
    from halocline.demo.samples import cache_folder

    found: dict[str, Pool] = {}
    for name, (folder, make) in MAKERS.items():
        if (names and name not in names) or (folder and not (data / folder).is_dir()):
            continue
        path = cache_folder() / "benchmarks" / f"pool-{name}-{RECIPE}.npz"
        if not path.is_file():
            print(f"training two models on {name} (once)", file=sys.stderr)
            made = make(data / folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npz")
            np.savez(
                part,
                confidence=made.confidence,
                edge_correct=made.edge_correct,
                cloud_correct=made.cloud_correct,
            )
            part.rename(path)
        with np.load(path) as arrays:
            found[name] = Pool(arrays["confidence"], arrays["edge_correct"], arrays["cloud_correct"])
    return found


def _digits(_: Path) -> Pool:
    """The five splits of the demo's models: every one of the 1,797 digits, held out once."""
    from common import raw_session
    from halocline.demo.samples import digit_folds

    parts = []
    for fold in digit_folds().folds:
        edge, cloud = (raw_session(path) for path in (fold.edge_path, fold.cloud_path))
        scores = [s.run(None, {s.get_inputs()[0].name: fold.x}) for s in (edge, cloud)]
        probs = [next(out for out in outs if out.ndim == 2) for outs in scores]
        parts.append(_judge(probs[0], probs[1], fold.y))
    return _joined(parts)


def _ecg(folder: Path) -> Pool:
    """MIT-BIH beats by the inter-patient split of de Chazal (2004): trained on DS1, all of DS2 the pool."""
    ds2 = [100, 103, 105, 111, 113, 117, 121, 123, 200, 202, 210]
    ds2 += [212, 213, 214, 219, 221, 222, 228, 231, 232, 233, 234]
    with np.load(folder / "meta.npz") as meta:
        record, label, rr = meta["record"], meta["label"].astype(np.int64), meta["rr"]
    beats = _xz(folder / "beats.npy.xz").astype(np.float32)
    beats /= np.maximum(np.abs(beats).max(axis=1, keepdims=True), 1)
    timing = rr[:, :2] / rr[:, 2:]  # the two intervals around the beat, over the recent mean
    held_out = np.isin(record, ds2)
    train = ~held_out & ~np.isin(record, [102, 104, 107, 217])
    small = beats.reshape(len(beats), 32, 4).mean(axis=2)
    large = np.column_stack([beats, timing])
    edge = _network((16,), 8).fit(small[train], label[train])
    # New patients differ from old ones: without the decay the large network is the worse of the two.
    cloud = _network((64,), 8, decay=3.0).fit(large[train], label[train])
    return _judge(
        _probabilities(edge, small[held_out], 5), _probabilities(cloud, large[held_out], 5), label[held_out]
    )


def _fashion(folder: Path) -> Pool:
    """Fashion-MNIST: trained on half of the training images, the 10,000 test images the pool."""
    images = [_xz(folder / f"{part}_images.npy.xz").astype(np.float32) / 255 for part in ("train", "test")]
    labels = [np.load(folder / f"{part}_labels.npy").astype(np.int64) for part in ("train", "test")]
    x, y = images[0][:30_000].reshape(-1, 784), labels[0][:30_000]
    small = [part.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49) for part in images]
    edge = _network((24,), 12).fit(small[0][:30_000], y)
    cloud = _network((160,), 14).fit(x, y)
    return _judge(edge.predict_proba(small[1]), cloud.predict_proba(images[1].reshape(-1, 784)), labels[1])


def _speech(folder: Path) -> Pool:
    """Spoken digits in five folds by take: every one of the 3,000 recordings, held out once."""
    import csv

    import soundfile

    sounds = {path.stem: soundfile.read(path)[0] for path in folder.glob("*.flac")}
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    features = np.stack(
        [
            _log_bands(sounds[row["speaker"]][int(row["start"]) : int(row["start"]) + int(row["length"])])
            for row in rows
        ]
    )
    y = np.asarray([int(row["digit"]) for row in rows])
    fold = np.asarray([int(row["take"]) % 5 for row in rows])
    small = features.reshape(len(rows), 5, 4, 24).mean(axis=2).reshape(len(rows), -1)
    large = features.reshape(len(rows), -1)
    parts = []
    for at in range(5):
        own, rest = fold == at, fold != at
        edge = _network((12,), 40).fit(small[rest], y[rest])
        cloud = _network((128,), 40).fit(large[rest], y[rest])
        parts.append(_judge(edge.predict_proba(small[own]), cloud.predict_proba(large[own]), y[own]))
    return _joined(parts)


MAKERS: dict[str, tuple[str, Callable[[Path], Pool]]] = {
    "digits": ("", _digits),
    "ecg": ("mitbih_beats", _ecg),
    "fashion_mnist": ("fashion_mnist", _fashion),
    "speech": ("fsdd", _speech),
}


def _network(hidden: tuple[int, ...], epochs: int, decay: float = 1e-4) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is meant
    network = MLPClassifier(hidden, alpha=decay, max_iter=epochs, random_state=SEED)
    return make_pipeline(StandardScaler(), network)


def _probabilities(model: Any, x: Rows, classes: int) -> Rows:
    out = np.zeros((len(x), classes))
    out[:, model.classes_] = model.predict_proba(x)
    return out


def _judge(edge: Rows, cloud: Rows, y: Rows) -> Pool:
    confidence = edge.max(axis=1).astype(np.float64)
    return Pool(np.minimum(confidence, 1.0), edge.argmax(axis=1) == y, cloud.argmax(axis=1) == y)


def _joined(parts: list[Pool]) -> Pool:
    return Pool(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pool.__struct_fields__))


def _log_bands(sound: Rows) -> Rows:
    """Log energy `[20 times, 24 bands]` of a recording stretched to 20 frames; bands equal in mel."""
    starts = np.linspace(0, max(len(sound) - 400, 1), 20).astype(int)
    frames = np.stack([np.pad(sound[at : at + 400], (0, max(0, at + 400 - len(sound)))) for at in starts])
    power = np.abs(np.fft.rfft(frames * np.hanning(400), axis=1)) ** 2
    mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 4000 / 700), 25)
    first_bin = (700 * (10 ** (mel / 2595) - 1) / 20).astype(int)  # 8 kHz over 400 samples: 20 Hz a bin
    bands = np.add.reduceat(power, first_bin, axis=1)[:, :24]
    return np.asarray(np.log(bands + 1e-6))


def _xz(path: Path) -> Rows:
    import lzma

    with lzma.open(path) as file:
        array: Rows = np.load(file)
    return array


if __name__ == "__main__":
    for pool_name, pool in pools().items():
        lost = (~pool.edge_correct & pool.cloud_correct).mean()
        print(
            f"{pool_name}: {len(pool.confidence)} rows, edge {pool.edge_correct.mean():.3f}, "
            f"cloud {pool.cloud_correct.mean():.3f}, edge alone loses {lost:.3f}"
        )
