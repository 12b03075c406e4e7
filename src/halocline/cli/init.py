"""halocline init: write a folder that runs, to put your own models and rows into."""

import shlex
from pathlib import Path
from typing import Literal

from halocline.cli.output import Json, print_json
from halocline.cli.words import print_block


def init(
    kind: Literal["classifier", "camera", "sensor"],
    folder: Path | None = None,
    /,
    *,
    seed: int = 0,
    json: Json = False,
) -> int:
    """Write a folder that runs, to put your own models and rows into.

    Two small models and a few rows are made on the spot, with commented settings, a
    ten-line script and a README that says what to type next. Nothing is downloaded,
    and no file is overwritten.

    Examples
    --------
    halocline init classifier

    Parameters
    ----------
    kind
        classifier: rows of numbers; camera: pictures; sensor: a series of readings.
    folder
        Where; a folder that is empty or not there. By default one called as the kind.
    seed
        Decides the rows and how the models start.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.extras import need

    need("demo", "onnx", what="halocline init")
    if kind == "camera":
        need("images", "PIL", what="halocline init camera")
    from halocline.demo.starter import write_starter

    where = folder or Path(kind)
    names = write_starter(kind, where, seed=seed)
    enter = "" if where.resolve() == Path.cwd() else f"cd {shlex.quote(str(where))} && "
    if json:
        print_json({"kind": kind, "folder": str(where), "files": names})
        return 0
    print_block([("written", f"{where}: {', '.join(names)}"), ("next", f"{enter}python run.py")])
    return 0
