"""Find the right name near a wrong one."""

from collections.abc import Sequence


def near_names(name: str, names: Sequence[str], cutoff: float = 0.6) -> list[str]:
    """The nearest of the names, or none; as `difflib` does it, which only an error needs to load."""
    from difflib import get_close_matches

    return get_close_matches(name, names, 1, cutoff)
