"""Fetch the files of a set, each no longer than it is known to be."""

import re
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from halocline import __version__
from halocline.demo.datasets.public.digests import check_digest
from halocline.demo.datasets.public.facts import File, Form
from halocline.errors import Misconfigured, Transient, Untrusted

_CHUNK_BYTES = 1 << 16
_SILENCE_S = 30.0
"""A source that says nothing for so long is given up."""
_PACKED_SLACK = 2
"""A zip may be larger than what is taken out of it by this factor: it holds other files, too."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def fetch(form: Form, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Put every file of the form into the folder, verified.

    Raises Transient (HAL-404) where the source cannot be reached, Untrusted (HAL-323) for other files.
    """
    done = 0
    for file in form.files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        start = done

        def tell(more: int, start: int = start) -> None:
            if progress is not None:
                progress(min(start + more, form.size_bytes), form.size_bytes)

        if file.digest.startswith("tree:"):
            packed = folder / f"{file.name}.zip"
            _download(file, packed, _PACKED_SLACK * file.size_bytes, tell)
            _unpack(packed, path, file.size_bytes)
            packed.unlink()
        else:
            _download(file, path, file.size_bytes, tell)
        check_digest(path, file)
        done += file.size_bytes


def _download(file: File, path: Path, most_bytes: int, tell: Callable[[int], None]) -> None:
    request = urllib.request.Request(file.url, headers={"User-Agent": f"halocline/{__version__}"})  # noqa: S310
    got = 0
    try:
        # The addresses are ours, from the catalogue of sets; what comes is verified by digest.
        with urllib.request.urlopen(request, timeout=_SILENCE_S) as answer, path.open("wb") as out:  # noqa: S310
            while piece := answer.read(_CHUNK_BYTES):
                got += len(piece)
                if got > most_bytes:
                    raise Untrusted("HAL-323", f"{file.url} is longer than the {file.size_bytes} bytes known")
                out.write(piece)
                tell(got)
    except (urllib.error.URLError, OSError) as exc:
        reason = getattr(exc, "reason", exc)
        raise Transient(
            "HAL-404",
            f"{file.url} cannot be fetched ({reason}). Fetch it by other means, and give --from DIR",
        ) from None


def _unpack(packed: Path, folder: Path, most_bytes: int) -> None:
    """Take the files of the folder of that name out of the zip; no path in it is followed elsewhere."""
    folder.mkdir(exist_ok=True)
    taken = 0
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                *homes, name = member.filename.split("/")
                if not homes or homes[-1] != folder.name or not _PLAIN_NAME.fullmatch(name):
                    continue
                taken += member.file_size
                if taken > most_bytes:
                    raise Untrusted(
                        "HAL-323", f"{packed.name} unpacks to more than the {most_bytes} bytes known"
                    )
                with archive.open(member) as held, (folder / name).open("wb") as out:
                    shutil.copyfileobj(held, out)
    except (zipfile.BadZipFile, OSError) as exc:
        raise Misconfigured("HAL-304", f"{packed} is not a whole zip file ({exc})") from None
