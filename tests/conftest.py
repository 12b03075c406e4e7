"""What every test stands on: the root of the repository, and no settings from the caller's environment."""

import os
import signal
from pathlib import Path

import pytest

# A developer's own settings or proxy must not decide whether a test passes.
for _name in [
    name for name in os.environ if name.startswith("HALOCLINE_") or name.lower().endswith("_proxy")
]:
    del os.environ[_name]

# A shell starts what runs in the background with Ctrl-C ignored, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent
