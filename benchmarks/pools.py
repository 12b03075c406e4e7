"""Make pools of held-out rows that two tiers have answered: how sure the edge is, which tier is right."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from common import raw_session
from halocline.demo.datasets.catalogue import ECG, FASHION, Dataset, speech_by_speaker
from halocline.demo.datasets.pair import trained_pair

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SPEAKERS = 6
BATCH_ROWS = 1_000
NAMES = ("digits", "ecg", "fashion_mnist", "speech")
FOLDERS = {"ecg": "mitbih_beats", "fashion_mnist": "fashion_mnist", "speech": "fsdd"}

Rows = np.ndarray[Any, np.dtype[Any]]


class Pool(msgspec.Struct, frozen=True, eq=False):
    """A population of rows `[n]` that neither training nor tuning saw."""

    confidence: Rows
    edge_correct: Rows
    cloud_correct: Rows


def pools(data: Path = DATA, names: tuple[str, ...] = NAMES) -> dict[str, Pool]:
    """Every pool whose data are there (digits always are); the demo's models, trained once and cached."""
    there = [name for name in names if name not in FOLDERS or (data / FOLDERS[name]).is_dir()]
    return {name: _pool(name, data) for name in there}


def _pool(name: str, data: Path) -> Pool:
    if name == "digits":
        return _digits()
    folder = data / FOLDERS[name]
    if name == "speech":  # each recording once, by models that have not heard its speaker
        return _joined([_test_part(speech_by_speaker(one), folder) for one in range(SPEAKERS)])
    return _test_part({"ecg": ECG, "fashion_mnist": FASHION}[name], folder)


def _digits() -> Pool:
    """The five splits of the demo's models: every one of the 1,797 digits, held out once."""
    from halocline.demo.samples import digit_folds

    return _joined(
        [_answered(each.edge_path, each.cloud_path, each.x, each.y) for each in digit_folds().folds]
    )


def _test_part(dataset: Dataset, folder: Path) -> Pool:
    pair = trained_pair(dataset, folder)
    return _answered(pair.edge_path, pair.cloud_path, pair.test.x, pair.test.y)


def _answered(edge: Path, cloud: Path, x: Rows, y: Rows) -> Pool:
    scores = _scores(edge, x)
    confidence = np.minimum(scores.max(axis=1).astype(np.float64), 1.0)
    return Pool(confidence, scores.argmax(axis=1) == y, _scores(cloud, x).argmax(axis=1) == y)


def _scores(model: Path, x: Rows) -> Rows:
    """Class probabilities `[rows, classes]`."""
    session = raw_session(model)
    name = session.get_inputs()[0].name
    parts = [x[start : start + BATCH_ROWS] for start in range(0, len(x), BATCH_ROWS)]
    return np.concatenate([session.run(["probabilities"], {name: part})[0] for part in parts])


def _joined(parts: list[Pool]) -> Pool:
    return Pool(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pool.__struct_fields__))


if __name__ == "__main__":
    for pool_name, pool in pools().items():
        lost = (~pool.edge_correct & pool.cloud_correct).mean()
        print(
            f"{pool_name}: {len(pool.confidence)} rows, edge {pool.edge_correct.mean():.3f}, "
            f"cloud {pool.cloud_correct.mean():.3f}, edge alone loses {lost:.3f}"
        )
