"""Make a public set into files to work with: found or fetched, verified, laid out, whole or not at all."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from halocline.demo.datasets.public.digests import check_digests, form_in
from halocline.demo.datasets.public.facts import Form, PublicSet, writer_of
from halocline.demo.datasets.public.fetch import fetch
from halocline.errors import Misconfigured

ABOUT = "ABOUT.txt"


def check_target(to: Path) -> None:
    """Raise Misconfigured (HAL-102) where something lies there already."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise Misconfigured("HAL-102", f"{to} is there already. Name another folder with --to, or remove it")


def write_set(
    known: PublicSet,
    to: Path,
    *,
    source: Path | None,
    rows: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Lay the set out under `to`, from a local copy or fetched; the paths that `--data` reads.

    Raises Misconfigured (HAL-102, HAL-103, HAL-304), Untrusted (HAL-323), Transient (HAL-404).
    """
    check_target(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as beside:
        form = _form(known, source)
        held = Path(beside) / "fetched" if source is None else source
        if source is None:
            fetch(form, held, progress)
        else:
            check_digests(held, form)
        made = Path(beside) / "made"
        written = [path.relative_to(made) for path in writer_of(known)(held, made, rows)]
        (made / ABOUT).write_text(_about(known, form), encoding="utf-8")
        if to.exists():
            to.rmdir()
        shutil.move(made, to)
    return [to / path for path in written]


def _form(known: PublicSet, source: Path | None) -> Form:
    if source is not None:
        return form_in(source, known)
    form = known.fetched
    if form is None:
        raise Misconfigured(
            "HAL-102",
            f"{known.name} is not published in the form that is read here ({known.source}): give the folder "
            f"of {', '.join(file.name for file in known.forms[0].files)} with --from DIR",
        )
    return form


def _about(known: PublicSet, form: Form) -> str:
    digests = "".join(f"  {file.name} {file.digest}\n" for file in form.files)
    return (
        f"{known.name}: {known.holds}\nLicence: {known.licence}\nSource: {known.source}\n"
        f"Cite: {known.cite}\nWritten from files with these digests:\n{digests}"
    )
