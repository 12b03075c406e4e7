"""What the system says against a device's state folder, in our words."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from halocline.errors import Misconfigured


@contextlib.contextmanager
def failing(path: Path) -> Iterator[None]:
    """Raise Misconfigured (HAL-725) for what the system says against the state folder."""
    try:
        yield
    except OSError as error:
        raise Misconfigured(
            "HAL-725",
            f"the state folder {path} cannot be used: {error.strerror or error} ({error.filename or path}). "
            f"Give a folder that this user may write: --state DIR",
        ) from error
