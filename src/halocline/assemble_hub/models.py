"""The cloud models that a hub hands its devices: files, and those on other servers once they are there."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from halocline.errors import HaloclineError, Misconfigured, Transient

if TYPE_CHECKING:
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.serving.tiers import Elsewhere

FIRST_WAIT_S: Final = 2.0
"""So long the start waits for each model on another server; it goes on without it."""
AGAIN_S: Final = 2.0
"""So long between two looks for those that were not there."""


class CloudModels:
    """The models of `--cloud-model`; those on other servers stay connected until `open_now` ends.

    Raises Misconfigured (HAL-104, HAL-206, HAL-770, HAL-773) for what is no URL with a name of its own, or
    whose server has no such model.
    """

    def __init__(self, given: Sequence[str], *, deadline_s: float, open_now: contextlib.ExitStack) -> None:
        self._deadline_s = deadline_s
        self._open_now = open_now
        self._urls: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        self.there: list[OnnxModel | Elsewhere] = _of_files([each for each in given if "://" not in each])
        """Those that can be served now."""
        for each in given:
            if "://" in each:
                self._first(*_named_url(each))

    @property
    def awaited(self) -> Mapping[str, str]:
        """The names of those that are not there yet, and why."""
        return dict(self._failures)

    async def await_all(self, add: "Callable[[Elsewhere], None]") -> None:
        """Try again until each is there, and `add` it, on the event loop."""
        while self._failures:
            await asyncio.sleep(AGAIN_S)
            for name in list(self._failures):
                try:
                    model = await asyncio.to_thread(self._opened, name)
                except HaloclineError as error:
                    self._failures[name] = error.message
                else:
                    add(model)
                    del self._failures[name]
                    logging.warning("the cloud model %s is there, and is served", name)

    def _first(self, name: str, url: str) -> None:
        if name in self._urls or name in self._names():
            raise Misconfigured("HAL-206", f"--cloud-model gives {name} twice; give one another name")
        self._urls[name] = url
        try:
            self.there.append(self._opened(name))
        except Transient as error:
            self._failures[name] = error.message
            logging.warning("%s; it is tried again until it is there", error)

    def _names(self) -> set[str]:
        from halocline.serving.tiers import Elsewhere

        return {(each.model if isinstance(each, Elsewhere) else each).spec.ref.name for each in self.there}

    def _opened(self, name: str) -> "Elsewhere":
        from halocline.adapters.http.served import ServedRemote
        from halocline.serving.tiers import Elsewhere

        remote = ServedRemote(self._urls[name], name, deadline_s=self._deadline_s, wait_s=FIRST_WAIT_S)
        self._open_now.callback(remote.close)
        return Elsewhere(remote)


def _of_files(given: Sequence[str]) -> "list[OnnxModel | Elsewhere]":
    if not given:
        return []
    from halocline.adapters.onnxruntime import load
    from halocline.serving.layout import find_models

    return [load(file.path, name=file.ref.name, version=file.ref.version) for file in find_models(given)]


def _named_url(given: str) -> tuple[str, str]:
    """Raises Misconfigured (HAL-773)."""
    from halocline.fleet import NAME

    name, _, url = given.partition("=")
    if "://" in name or not re.fullmatch(NAME, name):
        raise Misconfigured(
            "HAL-773", f"--cloud-model {given} gives no name. Write NAME=https://HOST:PORT/v2/models/MODEL"
        )
    return name, url
