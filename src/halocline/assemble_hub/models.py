"""The cloud models that a hub hands its devices: files here, and models on other servers."""

import contextlib
import re
from typing import TYPE_CHECKING, Final

from halocline.assemble_hub.options import HubOptions
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.serving.tiers import Elsewhere

_CLOUD_WAIT_S: Final = 10.0
"""So long the start waits for a model on another server."""


def cloud_models(options: HubOptions, open_now: contextlib.ExitStack) -> "list[OnnxModel | Elsewhere]":
    """All models to serve; those on other servers stay connected until the end."""
    from halocline.serving.layout import find_models
    from halocline.serving.tiers import Elsewhere

    elsewhere = [each for each in options.cloud_models if "://" in each]
    files = [each for each in options.cloud_models if "://" not in each]
    models: list[OnnxModel | Elsewhere] = []
    if files:
        from halocline.adapters.onnxruntime import load

        models += [
            load(file.path, name=file.ref.name, version=file.ref.version) for file in find_models(files)
        ]
    for each in elsewhere:
        from halocline.adapters.http.served import ServedRemote

        name, url = _named_url(each)
        remote = ServedRemote(url, name, deadline_s=options.cloud_deadline_s, wait_s=_CLOUD_WAIT_S)
        open_now.callback(remote.close)
        models.append(Elsewhere(remote))
    return models


def _named_url(given: str) -> tuple[str, str]:
    """Raises Misconfigured (HAL-773)."""
    from halocline.fleet import NAME

    name, _, url = given.partition("=")
    if "://" in name or not re.fullmatch(NAME, name):
        raise Misconfigured(
            "HAL-773", f"--cloud-model {given} gives no name. Write NAME=https://HOST:PORT/v2/models/MODEL"
        )
    return name, url
