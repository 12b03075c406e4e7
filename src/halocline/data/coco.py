"""Read COCO annotations: pictures, and the boxes that are in each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from halocline.data.dataset import BadRow, Content, Dataset, Kind, Progress
from halocline.data.files import look
from halocline.data.known import as_array, check_found, group_in
from halocline.decide.told import counted
from halocline.errors import Misconfigured
from halocline.records import Boxes

_HEAD_BYTES = 64 << 10
_SLACK_PX = 1.0
"""Annotators' tools round: a box may reach over the edge by so much, and is cut there."""


class _Picture(msgspec.Struct, frozen=True):
    id: int | str
    file_name: str
    width: int = 0
    height: int = 0


class _Category(msgspec.Struct, frozen=True):
    id: int
    name: str


class _Annotation(msgspec.Struct, frozen=True):
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Coco(msgspec.Struct, frozen=True):
    images: list[_Picture]
    categories: list[_Category]
    annotations: list[_Annotation] = []


def is_coco(path: Path) -> bool:
    """Whether the file begins as COCO annotations do: an object that speaks of images."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lstrip()
    return head.startswith(b"{") and any(word in head for word in (b'"images"', b'"annotations"'))


def read_coco(
    path: Path, *, group_by: re.Pattern[str] | None = None, progress: Progress | None = None
) -> Dataset:
    """Every picture of the file, with its boxes; a picture without boxes is one where nothing is.

    Crowds (`iscrowd`) are no boxes. A picture that is missing or damaged, or has a box outside it or
    without size, is bad. Pictures are looked for beside the file, one folder above, and in the folders there
    that are called images or as the file. Raises Misconfigured (HAL-304, HAL-320, HAL-322, HAL-325).
    """
    coco = _decoded(path)
    home = _home(path, coco.images)
    ordered = sorted(coco.categories, key=lambda each: each.id)
    classes = {each.id: (at, each.name) for at, each in enumerate(ordered)}
    drawn: dict[int | str, list[_Annotation]] = {}
    for note in coco.annotations:
        drawn.setdefault(note.image_id, []).append(note)
    names, paths, boxes, groups, bad = [], [], [], [], []
    unmatched = "" if group_by is None else f"its name does not match --group-by {group_by.pattern!r}"
    for at, picture in enumerate(coco.images):
        if progress is not None and at % 100 == 0:
            progress(at, len(coco.images))
        seen = look(home / picture.file_name)
        group = None if group_by is None else group_in(picture.file_name, group_by)
        why = seen.why or (unmatched if group_by is not None and group is None else None)
        found = why or _boxes(drawn.get(picture.id, ()), classes, seen.width, seen.height)
        if isinstance(found, str):
            bad.append(BadRow(picture.file_name, found))
            continue
        names.append(picture.file_name)
        paths.append(home / picture.file_name)
        boxes.append(found)
        groups.append(group or "")
    if progress is not None:
        progress(len(coco.images), len(coco.images))
    if group_by is not None:
        check_found(groups, bad, group_by, unmatched)
    strays = len(drawn.keys() - {picture.id for picture in coco.images})
    return Dataset(
        kind=Kind.COCO,
        content=Content.PICTURES,
        samples=paths,
        names=names,
        groups=None if group_by is None else as_array(groups),
        boxes=boxes,
        bad=tuple(bad),
        unread=(f"boxes of {counted(strays, 'picture')} that are not listed",) if strays else (),
    )


def _boxes(
    notes: Sequence[_Annotation], classes: Mapping[int, tuple[int, str]], width: int, height: int
) -> Boxes | str:
    """The boxes in fractions of the picture, or why they cannot be used."""
    corners, index, labels = [], [], []
    for note in notes:
        if note.iscrowd:
            continue
        left, top, wide, high = note.bbox
        told = f"[{', '.join(f'{each:g}' for each in note.bbox)}]"
        if note.category_id not in classes:
            return f"its box {told} is of category {note.category_id}, which is none of the file's"
        if not (wide > 0 and high > 0):
            return f"its box {told} has no size (a box is x, y, width, height)"
        right, low = left + wide, top + high
        inside = min(left, top) >= -_SLACK_PX and right <= width + _SLACK_PX and low <= height + _SLACK_PX
        if not inside:
            return f"its box {told} (x, y, width, height) reaches outside the picture of {width}x{height}"
        corners.append((left / width, top / height, right / width, low / height))
        at, name = classes[note.category_id]
        index.append(at)
        labels.append(name)
    return Boxes(
        xyxy=np.clip(np.asarray(corners, dtype=np.float32).reshape(-1, 4), 0, 1),
        index=np.asarray(index, dtype=np.int64),
        labels=tuple(labels),
        scores=np.ones(len(index), dtype=np.float32),
    )


def _decoded(path: Path) -> _Coco:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(), type=_Coco)
    except FileNotFoundError:
        raise Misconfigured("HAL-304", f"{path} does not exist (looked in {Path.cwd()})") from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Misconfigured(
            "HAL-322", f"{path} is not COCO annotations, with images, annotations and categories ({exc})"
        ) from None


def _home(path: Path, images: Sequence[_Picture]) -> Path:
    """The folder that the pictures are in."""
    if not images:
        raise Misconfigured("HAL-320", f"{path} lists no images")
    homes = list(_homes(path))
    for home in homes:
        if any((home / picture.file_name).is_file() for picture in images[:20]):
            return home
    looked = ", ".join(map(str, homes))
    raise Misconfigured(
        "HAL-320",
        f"none of the pictures of {path} is there: {images[0].file_name} was looked for in {looked}",
    )


def _homes(path: Path) -> Iterator[Path]:
    part = path.stem.removeprefix("instances_")
    for folder in (path.parent, path.parent.parent):
        yield from (folder, folder / "images", folder / part, folder / "images" / part)
