"""The flags that name two models and data, shared by the commands of a policy; and how they are opened."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.adapters.http import RemoteModel
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.data import Dataset
    from halocline.records import ModelSpec

_MODELS = Group("The models, where they do not say it themselves", sort_key=2)
_LINK = Group("The cloud behind a URL", sort_key=3)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Tiers:
    """Two models, and rows that neither was trained on."""

    edge: Annotated[str, Parameter(help="The edge model, an ONNX file.")]
    cloud: Annotated[
        str, Parameter(help="The cloud model: an ONNX file, or a URL as in https://HOST:PORT/v2/models/NAME.")
    ]
    data: Annotated[
        Path,
        Parameter(
            help="Your rows: an .npz file (x or inputs, y or labels, group or groups), a folder of class "
            "folders of pictures or sounds, a CSV table, Parquet, or COCO boxes. See `halocline data check`."
        ),
    ]
    group_by: Annotated[
        str | None,
        Parameter(
            help="A regular expression that finds the group (patient, speaker, device) in a file's name."
        ),
    ] = None
    strict: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Refuse the data where one row cannot be used."),
    ] = False
    tolerance: Annotated[
        float | None,
        Parameter(help="Of models that regress: how far a right value may be from the truth, in its unit."),
    ] = None
    labels: Annotated[
        Path | None,
        Parameter(group=_MODELS, help="Class names of the edge model, one a line, or a .json list."),
    ] = None
    scores: Annotated[
        str | None,
        Parameter(group=_MODELS, help="The edge's scores: probabilities, logits or log_probabilities."),
    ] = None
    score_output: Annotated[
        str | None, Parameter(group=_MODELS, help="Which of the edge's outputs holds the scores.")
    ] = None
    cloud_labels: Annotated[Path | None, Parameter(group=_MODELS, help="Class names of the cloud model.")] = (
        None
    )
    cloud_scores: Annotated[str | None, Parameter(group=_MODELS, help="The cloud's scores, as --scores.")] = (
        None
    )
    cloud_score_output: Annotated[
        str | None, Parameter(group=_MODELS, help="Which of the cloud's outputs holds the scores.")
    ] = None
    no_cache: Annotated[
        bool,
        Parameter(
            group=_LINK,
            negative="",
            show_default=False,
            help="Ask the cloud about every row, whatever it answered before.",
        ),
    ] = False
    batch_rows: Annotated[int, Parameter(group=_LINK, help="The most rows of one call.")] = 256
    timeout_s: Annotated[float, Parameter(group=_LINK, help="Seconds that each call may take.")] = 30.0
    token: Annotated[
        str | None, Parameter(group=_LINK, help="The bearer token, as env:NAME or file:PATH.")
    ] = None
    ca: Annotated[
        Path | None, Parameter(group=_LINK, help="The authority to trust instead of the system's, PEM.")
    ] = None
    cert: Annotated[Path | None, Parameter(group=_LINK, help="A client certificate with its key, PEM.")] = (
        None
    )


@contextmanager
def opened(tiers: Tiers) -> Iterator[tuple["OnnxModel", "OnnxModel | RemoteModel"]]:
    """Both models; a connection is closed at the end."""
    from halocline.adapters.onnxruntime import load

    if not tiers.timeout_s > 0:
        raise Misconfigured("HAL-101", f"--timeout-s must be above 0, got {tiers.timeout_s}")
    edge = load(tiers.edge, labels=tiers.labels, scores=tiers.scores, score_output=tiers.score_output)
    said: dict[str, Any] = {"scores": tiers.cloud_scores, "score_output": tiers.cloud_score_output}
    if "://" not in tiers.cloud:
        yield edge, load(tiers.cloud, labels=tiers.cloud_labels, **said)
        return
    from halocline.adapters.http import connect
    from halocline.adapters.onnxruntime.labels import read_labels

    labels, _ = read_labels(tiers.cloud_labels, None)
    with connect(
        tiers.cloud, token=tiers.token, ca=tiers.ca, cert=tiers.cert, labels=labels, **said
    ) as cloud:
        yield edge, cloud


def asking(tiers: Tiers) -> dict[str, Any]:
    """How the cloud is asked, as `tune` and `evaluate` take it."""
    return {
        "cache": False if tiers.no_cache else None,
        "timeout_s": tiers.timeout_s,
        "batch_rows": tiers.batch_rows,
        "strict": tiers.strict,
        "tolerance": tiers.tolerance,
    }


def read_labelled(path: Path, tiers: Tiers, model: "ModelSpec", *, must: bool) -> tuple["Dataset", list[str]]:
    """The data as the edge model takes them, and what to say of them.

    Raises Misconfigured (HAL-304) where labels must be there and are not, HAL-322 where there are boxes
    and the model does not detect, and as `data.read` does.
    """
    from halocline.data import read
    from halocline.data.checkup import BOXES
    from halocline.data.dataset import check_strict, told_bad
    from halocline.data.usable import usable
    from halocline.data.windows import series_for
    from halocline.records import Task

    with progress_on_stderr("looking at the data") as progress:
        data = read(
            path,
            strict=tiers.strict,
            group_by=tiers.group_by,
            series=series_for(model.input),
            progress=progress,
        )
    if data.boxes is None:
        data = usable(data, model)
        data = check_strict(data, path) if tiers.strict else data
    elif model.task is not Task.DETECT:
        raise Misconfigured(
            "HAL-322",
            f"{path} holds boxes, which are for use {BOXES}; {model.ref} ({model.task}) does not",
        )
    if must and truth_in(data) is None:
        raise Misconfigured(
            "HAL-304",
            f"{path} has no labels, and what is right cannot be counted without: add an array y"
            + (f" (it holds {', '.join(data.unread)}, which is not read)" if data.unread else ""),
        )
    said = [f"{path} also holds {name}, which is not read" for name in data.unread]
    return data, said + ([f"{path}: {told_bad(data.bad)}"] if data.bad else [])


def truth_in(data: "Dataset") -> Any:
    """What the data say is true of each row: boxes or labels, None where they say nothing."""
    return data.labels if data.boxes is None else data.boxes


def overlap(one: "Dataset", other: "Dataset", *paths: Path | None) -> list[str]:
    """That some rows are in both files, where they are."""
    from halocline.data.keys import sample_keys

    shared = len(set(sample_keys(one)) & set(sample_keys(other)))
    if not shared:
        return []
    return [f"{shared} rows are in both {paths[0]} and {paths[1]}: a policy looks good on rows that chose it"]


def share(flag: str, text: str) -> float:
    """A share written 27% or 0.27. Raises Misconfigured (HAL-101) for anything else."""
    number = text.strip().removesuffix("%").strip()
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        raise Misconfigured("HAL-101", f"{flag} must be a share such as 27% or 0.27, got {text!r}") from None
    if not 0 <= value <= 1:
        hint = f". Did you mean {number}%?" if 0 <= value <= 100 and "%" not in text else ""
        raise Misconfigured("HAL-101", f"{flag} must lie in 0% to 100%, got {text!r}{hint}")
    return value


@contextmanager
def progress_on_stderr(doing: str = "asking the cloud") -> Iterator[Callable[[int, int], None]]:
    """Shows how many rows are done, where somebody watches and it takes a while."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def show(done: int, rows: int) -> None:
            bar.update(task, completed=done, total=rows)

        yield show
