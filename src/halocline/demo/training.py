"""Train a small and a larger digit model on each of five fixed splits, and turn them into ONNX."""

import json
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from halocline.records import Array

FOLDS = 5
SEED = 20
TUNE_SHARE = 0.25
"""Of the rows outside a test part, the share that only chooses the threshold."""
ESCALATED_SHARE = 0.20
"""The threshold is where this share of the tuning rows, the least sure ones, would go up."""


class TrainedFold(NamedTuple):
    """One split: two models that never saw the test rows `x`, `y`, nor did the choice of threshold."""

    edge_onnx: bytes
    cloud_onnx: bytes
    threshold: float
    x: Array
    y: Array


def train_folds() -> Iterator[TrainedFold]:
    """Five splits of scikit-learn's 1,797 digits; their test rows together are every row once."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold, train_test_split

    pixels, digits = load_digits(return_X_y=True)
    x, y = (pixels / 16).astype(np.float32), digits.astype(np.int64)
    parts = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y)
    for known, test in parts:
        train, tune = train_test_split(known, test_size=TUNE_SHARE, random_state=SEED, stratify=y[known])
        yield _train(x, y, train=train, tune=tune, test=test)


def _train(x: Array, y: Array, *, train: Array, tune: Array, test: Array) -> TrainedFold:
    edge, cloud = _edge_model(), _cloud_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fixed number of passes is the recipe, not a failure to converge
        edge.fit(x[train], y[train])
        cloud.fit(x[train], y[train])
        confidence = edge.predict_proba(x[tune]).max(axis=1)
        return TrainedFold(
            edge_onnx=to_onnx_bytes(edge, x[:1]),
            cloud_onnx=to_onnx_bytes(cloud, x[:1]),
            threshold=round(float(np.quantile(confidence, ESCALATED_SHARE)), 4),
            x=x[test],
            y=y[test],
        )


def _edge_model() -> Any:
    """2,410 parameters: what fits a small device."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((32,), learning_rate_init=5e-3, max_iter=40, random_state=SEED)


def _cloud_model() -> Any:
    """A support vector machine that keeps hundreds of the training rows, with calibrated probabilities."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return CalibratedClassifierCV(SVC(C=10, gamma=0.05), ensemble=False, cv=3)


def to_onnx_bytes(model: Any, row: Array) -> bytes:
    """The model as ONNX: the class, and one row of probabilities for each row of input.

    The names of its classes travel in the file, so that every server and client shows the same ones.
    """
    from onnx.helper import set_model_props
    from skl2onnx import to_onnx

    # Without zipmap the probabilities are one array, not a list of dictionaries.
    converted = to_onnx(model, row, options={"zipmap": False}, target_opset=17)
    set_model_props(converted, {"labels": json.dumps([str(label) for label in model.classes_])})
    return bytes(converted.SerializeToString())
