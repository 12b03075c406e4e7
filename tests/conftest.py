"""What every test stands on: the root of the repository, and no settings from the caller's environment."""

import os
from pathlib import Path

import pytest

# A developer's own settings or proxy must not decide whether a test passes.
for _name in [
    name for name in os.environ if name.startswith("HALOCLINE_") or name.lower().endswith("_proxy")
]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent
