"""Take secrets out of what is shown to others: those that are known here, and all that looks like one."""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

GONE: Final = "(left out)"
SHORTEST: Final = 6
"""A known secret that is shorter would take half of the text with it."""

_NAMES: Final = (
    r"pass(?:word|phrase|wd)?|secret|token|credential|authorization|api[_-]?key|private[_-]?key|cookie"
)
SECRET_NAME: Final = re.compile(
    rf"{_NAMES}|(?:^|[_-])(?:key|pw|auth)(?:$|[_-])|webhook|dsn|database_url", re.IGNORECASE
)
"""What a variable or a key that holds a secret is called."""
_FORMS: Final = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        GONE,
    ),
    (re.compile(r"hc[0-9]+\.[A-Za-z0-9_=-]+"), GONE),  # an invite
    (re.compile(r"hct_[A-Za-z0-9_-]+"), GONE),  # a person's token
    (re.compile(r"\b(Bearer|Basic|Digest)\s+(?!realm)[^\s,;\"']+", re.IGNORECASE), rf"\1 {GONE}"),
    (re.compile(r"(?<=://)[^/\s\"'?#]*@"), f"{GONE}@"),  # user and password of a URL
    (re.compile(r"(https?://[^\s\"'?#]+)[?#][^\s\"']+"), rf"\1?{GONE}"),
    (re.compile(r"(https?://[^\s\"'/]*(?:hook|webhook)[^\s\"'/]*)/[^\s\"']*", re.IGNORECASE), rf"\1/{GONE}"),
    (re.compile(r"(https?://[^\s\"'/]+)/[^\s\"']*hook[^\s\"']*", re.IGNORECASE), rf"\1/{GONE}"),
    (
        re.compile(
            rf"((?:{_NAMES})[\"']?\s*[=:]\s*)(?!env:|file:)(?:\"[^\"]*\"|'[^']*'|[^\s,;\"']+)", re.IGNORECASE
        ),
        rf"\1{GONE}",
    ),
)
_RUN: Final = re.compile(r"[A-Za-z0-9+_=-]{24,}")
_KINDS: Final = (re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]"))


class Redactor:
    """Takes out the secrets that it knows, in whatever way they are written, and what looks like one."""

    def __init__(self, known: Iterable[str]) -> None:
        whole = {each.strip() for each in known}
        lines = {line.strip() for each in whole for line in each.splitlines()}
        written = {
            way(each)
            for each in whole | lines
            if len(each) >= SHORTEST
            for way in (str, quote, quote_plus, unquote)
        }
        # The longest first: one may be a part of another.
        self.known = sorted((each for each in written if not _is_mark(each)), key=len, reverse=True)
        self.count = 0
        """How many were taken out so far."""

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self.known:
            if secret in text:
                self.count += text.count(secret)
                text = text.replace(secret, GONE)
        for form, instead in _FORMS:
            text, found = form.subn(instead, text)
            self.count += found
        return _RUN.sub(self._run, text)

    def values(self, values: Any) -> Any:
        """The same of what becomes JSON; what stands under the name of a secret goes whole."""
        if isinstance(values, str):
            return self.text(values)
        if isinstance(values, dict):
            return {self.text(str(name)): self._named(str(name), each) for name, each in values.items()}
        if isinstance(values, list | tuple):
            return [self.values(each) for each in values]
        return values

    def _named(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value and SECRET_NAME.search(name):
            self.count += 1
            return GONE
        return self.values(value)

    def _run(self, found: re.Match[str]) -> str:
        """Capitals, small letters and digits in one long word: a key, a digest in base64, a token."""
        if all(kind.search(found[0]) for kind in _KINDS):
            self.count += 1
            return GONE
        return found[0]


def _is_mark(line: str) -> bool:
    """What stands around a key is no secret."""
    return line.startswith("-----")
