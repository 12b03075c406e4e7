"""Give each sample a key that is equal for equal samples, to find those that are there twice."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from halocline.data.dataset import Dataset
from halocline.tuning.store import row_keys


def sample_keys(dataset: Dataset) -> Iterator[bytes]:
    """A digest of each sample: of a file's bytes, or of a row's values."""
    if isinstance(dataset.samples, Mapping):
        yield from row_keys(dataset.samples)
    elif isinstance(dataset.samples, np.ndarray):
        yield from row_keys({"x": dataset.samples})
    else:
        for sample in dataset.samples:
            yield _key(sample)


def _key(sample: Any) -> bytes:
    if isinstance(sample, bytes):
        return hashlib.sha256(sample).digest()
    if isinstance(sample, str | os.PathLike):
        with open(sample, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    (key,) = row_keys({"x": np.asarray(sample)[None]})
    return key
