"""Find the secrets that are known on this machine, so that they can be taken out wherever they turn up."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from halocline.adapters.contexts import contexts_file
from halocline.cli.support.redact import SECRET_NAME

_FILES: Final = ("*.key", "*key.pem", "server.pem", "*.token", "passphrase", "*secret*", "*password*")
_IN_URL: Final = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_LARGEST_BYTES: Final = 64 * 1024


def known_secrets(folders: list[Path], config: Path | None) -> Iterator[str]:
    """Of the environment, these folders of state, a configuration, and the hubs signed in to."""
    yield from _of_environment()
    for text in () if config is None else _in_file(config):
        for password in _IN_URL.findall(text):
            yield from (password, unquote(password))
    for folder in folders:
        for form in _FILES:
            for path in folder.rglob(form):
                yield from _in_file(path)
    for text in _in_file(contexts_file()):
        with contextlib.suppress(msgspec.DecodeError):
            kept = msgspec.json.decode(text, type=dict[str, object]).get("hubs")
            if isinstance(kept, dict):
                yield from (str(each["token"]) for each in kept.values() if isinstance(each, dict))


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if SECRET_NAME.search(name):
            yield from () if value.startswith(("env:", "file:")) else (value, _last_step(value))
        yield from _in_value(value)


def _last_step(value: str) -> str:
    """What stands last in a URL's path: with a webhook, that is its secret."""
    return value.rpartition("/")[2] if "://" in value else ""


def _in_value(value: str) -> Iterator[str]:
    """The password of a URL, and what a reference leads to."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(value)
        if parts.password:
            yield from (parts.password, unquote(parts.password))
    if value.startswith("file:"):
        yield from _in_file(Path(value.removeprefix("file:")))


def _in_file(path: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
            yield path.read_text(encoding="utf-8")
