"""Check this machine: Python, the runtime and its providers, the clock, the disk."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import packages_distributions, version
from pathlib import Path

from halocline.cli.checks import Check, fail, ok, warn

MIN_FREE_BYTES = 200 * 1024 * 1024
RELEASED_S = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
"""No clock is right that shows a time before this version was made."""

_SUPPORTED = ((3, 11), (3, 13))


def check_machine() -> Iterator[Check]:
    """Every check of this machine."""
    yield check_python(sys.version_info[:2])
    yield check_runtimes(sorted(set(packages_distributions().get("onnxruntime", []))))
    yield check_providers()
    yield check_clock(time.time())
    yield check_disk()


def check_python(seen: tuple[int, ...]) -> Check:
    """The tests run on these versions."""
    first, last = _SUPPORTED
    text = ".".join(map(str, seen))
    if first <= seen <= last:
        return ok("python", text)
    span = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    return warn("python", f"{text}, tested are {span}", f"use Python {span}")


def check_runtimes(packages: list[str]) -> Check:
    """Two packages that both install the module `onnxruntime` overwrite each other's files."""
    if not packages:
        return fail("runtime", "ONNX Runtime is not installed", "pip install onnxruntime")
    if len(packages) > 1:
        best = next((name for name in packages if name != "onnxruntime"), packages[0])
        return fail(
            "runtime",
            f"{' and '.join(packages)} are both installed and overwrite each other's module onnxruntime",
            f"keep one: pip uninstall -y {' '.join(packages)} && pip install {best}",
        )
    return ok("runtime", f"{packages[0]} {version(packages[0])}")


def check_providers() -> Check:
    """Which hardware ONNX Runtime can use, and whether there is some that it cannot."""
    try:
        import onnxruntime

        available = onnxruntime.get_available_providers()
    except Exception as exc:  # a damaged installation fails in many ways
        return fail(
            "providers", f"ONNX Runtime does not import: {exc}", "pip install --force-reinstall onnxruntime"
        )
    from halocline.adapters.onnxruntime.providers import PREFERENCE

    usable = [name for name in PREFERENCE if name in available]
    if not usable:
        return fail(
            "providers", f"none that runs here among {', '.join(available)}", "pip install onnxruntime"
        )
    detail = f"{', '.join(name.removesuffix('ExecutionProvider') for name in usable)}; the first is taken"
    idle = _idle_gpu(usable)
    if idle:
        return warn(
            "providers", f"{detail}; {idle}", "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
        )
    return ok("providers", detail)


def check_clock(now_s: float) -> Check:
    """Certificates are judged by the clock; a device without a battery wakes up in 1970."""
    shown = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if now_s < RELEASED_S:
        return fail(
            "clock",
            f"it shows {shown}, before this version was made",
            "set it, as with: timedatectl set-ntp true",
        )
    return ok("clock", shown)


def check_disk() -> Check:
    """The folder where samples are cached, or the nearest one above it that exists."""
    from halocline.folders import cache_folder

    folder = cache_folder()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free_bytes = shutil.disk_usage(there).free
    shown = f"{free_bytes / 1024**3:.1f} GiB free for {folder}"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return fail(
            "disk", f"{there} cannot be written to", "give another folder: export HALOCLINE_CACHE=FOLDER"
        )
    if free_bytes < MIN_FREE_BYTES:
        return warn("disk", shown, f"free some: {MIN_FREE_BYTES // 1024**2} MiB is little enough")
    return ok("disk", shown)


def _idle_gpu(usable: list[str]) -> str:
    """A graphics processor that is there and that no provider uses; "" where there is none."""
    if {"CUDAExecutionProvider", "TensorrtExecutionProvider"} & set(usable):
        return ""
    there = any(Path(path).exists() for path in ("/dev/nvidia0", "/etc/nv_tegra_release"))
    return "there is an NVIDIA GPU, which the installed ONNX Runtime cannot use" if there else ""
