"""Name the pip line when an optional part is not installed."""

from importlib.util import find_spec

from halocline.errors import Misconfigured


def need(extra: str, *modules: str, what: str) -> None:
    """Raise Misconfigured (HAL-103) unless every module of the extra can be imported."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise Misconfigured(
            "HAL-103",
            f"{what} needs {', '.join(missing)}, which the bare installation leaves out. "
            f"Try: pip install 'halocline[{extra}]'",
        )
