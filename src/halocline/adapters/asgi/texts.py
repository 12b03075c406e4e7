"""Strings are bytes in the protocol and text in our models: convert the inputs that are strings."""

import numpy as np

from halocline.errors import Rejected
from halocline.records import Array


def as_texts(feed: dict[str, Array]) -> dict[str, Array]:
    """The feed with its arrays of bytes as arrays of str. Raises Rejected (HAL-501) for what is not UTF-8."""
    for array in feed.values():
        if array.dtype.kind == "O":
            return {name: _decoded(name, each) for name, each in feed.items()}
    return feed


def _decoded(name: str, array: Array) -> Array:
    if array.dtype.kind != "O":
        return array
    texts = np.empty(array.size, dtype=np.object_)
    try:
        texts[:] = [element.decode() for element in array.flat]
    except UnicodeDecodeError as error:
        raise Rejected("HAL-501", f"input {name[:80]!r} holds a string that is not UTF-8: {error}") from None
    return texts.reshape(array.shape)
