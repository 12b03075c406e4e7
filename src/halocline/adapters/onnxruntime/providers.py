"""Choose the execution providers that ONNX Runtime is asked for, and say which one is in force and why."""

from collections.abc import Sequence

import msgspec

from halocline.adapters.onnxruntime.names import near_names
from halocline.errors import Misconfigured

CPU = "CPUExecutionProvider"

PREFERENCE = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "CoreMLExecutionProvider",
    "OpenVINOExecutionProvider",
    CPU,
)
"""Best first. AzureExecutionProvider is listed by every installation, runs nothing here and is left out."""


class Force(msgspec.Struct, frozen=True):
    """The provider that a session really runs on, and why it is that one."""

    provider: str
    why: str

    @property
    def short(self) -> str:
        """The provider's name as people say it: CPU, CUDA, TensorRT's `Tensorrt`."""
        return _short(self.provider)


def wanted(asked: Sequence[str] | None, available: Sequence[str]) -> list[str]:
    """The providers to ask for, best first, with the CPU last.

    Names may be short ("cuda"). Raises Misconfigured (HAL-205) for one that is not available.
    """
    if asked is None:
        return [name for name in PREFERENCE if name in available]
    if isinstance(asked, str):
        asked = [asked]
    names = [_find(name, available) for name in asked]
    return names if CPU in names else [*names, CPU]


def in_force(asked: Sequence[str] | None, tried: Sequence[str], active: Sequence[str], failed: str) -> Force:
    """What runs, given what was asked of and what is active in the session; `failed` says what refused.

    Raises Misconfigured (HAL-205) where the caller named a provider and the session fell back from it.
    """
    first, got = tried[0], (active[0] if active else "none")
    if got == first and not failed:
        if asked is not None:
            return Force(got, "asked for")
        others = "the only one installed" if got == CPU else "the best one installed"
        return Force(got, others)
    refused = failed or f"{_short(first)} did not start"
    if asked is not None:
        raise Misconfigured(
            "HAL-205",
            f"providers={list(asked)!r} was asked for, but ONNX Runtime fell back to {_short(got)}: "
            f"{refused}. Check {_short(first)}'s driver and libraries, or leave providers out",
        )
    return Force(got, f"fell back: {refused}")


def _find(name: str, available: Sequence[str]) -> str:
    wanted_name = name.lower().removesuffix("executionprovider")
    for candidate in available:
        if candidate.lower().removesuffix("executionprovider") == wanted_name:
            return candidate
    usable = [candidate for candidate in available if candidate != "AzureExecutionProvider"]
    near = near_names(wanted_name, [_short(each).lower() for each in usable])
    hint = f" Did you mean {near[0]!r}?" if near else " Install the runtime that carries it."
    raise Misconfigured(
        "HAL-205",
        f"the execution provider {name!r} is not in the installed ONNX Runtime, which has "
        f"{', '.join(usable)}.{hint}",
    )


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
