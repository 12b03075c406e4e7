"""halocline explain: say what an error code means and what to try."""

from difflib import get_close_matches

from halocline.catalogue import CATALOGUE
from halocline.cli.output import Json, print_json
from halocline.errors import Misconfigured


def explain(code: str, /, *, json: Json = False) -> int:
    """Say what an error code means and what to try.

    Examples
    --------
    halocline explain HAL-301

    Parameters
    ----------
    code
        As the error shows it: HAL-301, or just 301.
    json
        Print one JSON object on stdout and nothing else.
    """
    name = _name(code)
    entry = CATALOGUE[name]
    if json:
        print_json({"code": name, **entry._asdict()})
    else:
        print(f"{name}: {entry.title}\n{entry.meaning}\nTry: {entry.fix}")
    return 0


def _name(code: str) -> str:
    name = f"HAL-{code}" if code.isdecimal() else code.upper()
    if name not in CATALOGUE:
        begun = [known for known in CATALOGUE if known.startswith(name)]  # somebody lost the last digit
        near = begun or get_close_matches(name, CATALOGUE, 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise Misconfigured("HAL-102", f"there is no error code {code!r}. {hint}Codes look like HAL-301")
    return name
