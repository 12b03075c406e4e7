"""The catalogue and the code agree: no code without its meaning, none that nobody raises."""

import re
from pathlib import Path

import pytest

from halocline import catalogue, records
from halocline.catalogue import CATALOGUE

CODE = re.compile(r"HAL-\d{3}")
RAISED = re.compile(r'"(HAL-\d{3})"')


def _written(root: Path, pattern: re.Pattern[str]) -> dict[str, str]:
    """Each code that the source writes outside the catalogue, with one file that writes it."""
    files = [path for path in (root / "src").rglob("*.py") if path != Path(str(catalogue.__file__))]
    return {code: path.name for path in files for code in pattern.findall(path.read_text(encoding="utf-8"))}


def test_every_code_that_the_source_names_has_its_meaning_in_the_catalogue(root: Path) -> None:
    unknown = {code: name for code, name in _written(root, CODE).items() if code not in CATALOGUE}
    assert not unknown


def test_every_code_of_the_catalogue_is_raised_somewhere(root: Path) -> None:
    assert not sorted(CATALOGUE.keys() - _written(root, RAISED).keys())


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_says_what_it_means_and_what_to_try_in_whole_sentences(code: str) -> None:
    entry = CATALOGUE[code]
    assert CODE.fullmatch(code)
    assert not entry.title.endswith(".")
    assert entry.meaning.endswith(".")
    assert entry.fix.endswith(".")


def test_every_reason_is_documented() -> None:
    source = Path(str(records.__file__)).read_text(encoding="utf-8")
    undocumented = [
        reason.name
        for reason in records.Reason
        if not re.search(rf'^    {reason.name} = "{reason.value}"\n    """[A-Z`]', source, re.MULTILINE)
    ]
    assert not undocumented
