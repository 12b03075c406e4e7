"""What goes into a support bundle: parts that are gathered, freed of secrets, listed, and written."""

from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a bundle, before secrets are taken out of it."""

    name: str
    about: str
    """What it holds, as it is listed."""
    content: Any
    """Text, or values that become JSON."""
