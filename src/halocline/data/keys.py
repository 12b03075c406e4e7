"""Give each sample a key that is equal for equal samples, to find those that are there twice."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from halocline.data.dataset import Dataset
from halocline.tuning.store import row_keys


def sample_keys(dataset: Dataset) -> Iterator[bytes]:
    """The key of each sample, in order."""
    if isinstance(dataset.samples, Mapping):
        yield from row_keys(dataset.samples)
    elif isinstance(dataset.samples, np.ndarray):
        yield from row_keys({"x": dataset.samples})
    else:
        yield from map(key_of, dataset.samples)


def key_of(sample: Any) -> bytes:
    """A digest of one sample: of a file's bytes, or of the values of a row, or of each of its inputs."""
    if isinstance(sample, bytes):
        return hashlib.sha256(sample).digest()
    if isinstance(sample, str | os.PathLike):
        with open(sample, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    parts = {str(at): part for at, part in enumerate(sample)} if isinstance(sample, tuple) else {"x": sample}
    (key,) = row_keys({name: np.asarray(part)[None] for name, part in parts.items()})
    return key
