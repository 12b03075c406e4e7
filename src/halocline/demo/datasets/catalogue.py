"""Which real data sets there are, what each is read from, and what is trained on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from halocline.demo.datasets import ecg, fashion, recipes, speech
from halocline.demo.datasets.files import check_folder
from halocline.demo.datasets.network import Recipe
from halocline.demo.datasets.rows import Parts


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A set: its classes, its files, how to read it, the two models, and the share that goes up.

    `rows` and `groups` are what people call them; `groups` is "" where rows are independent.
    """

    name: str
    rows: str
    groups: str
    labels: tuple[str, ...]
    files: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path], Parts]
    edge: Recipe
    cloud: Recipe
    share: float


def _listed(names: tuple[str, ...], what: str, folder: Path) -> tuple[str, ...]:
    check_folder(folder, names, what)
    return names


ECG = Dataset(
    name="ecg",
    rows="heart beats",
    groups="patients",
    labels=ecg.LABELS,
    files=partial(_listed, ecg.FILES, "the MIT-BIH beats"),
    read=ecg.read_ecg,
    edge=recipes.ECG_EDGE,
    cloud=recipes.ECG_CLOUD,
    share=0.27,
)
SPEECH = Dataset(
    name="speech",
    rows="spoken digits",
    groups="speakers",
    labels=speech.LABELS,
    files=speech.speech_files,
    read=speech.read_speech_by_take,
    edge=recipes.SPEECH_EDGE,
    cloud=recipes.SPEECH_CLOUD,
    share=0.12,
)
FASHION = Dataset(
    name="fashion-mnist",
    rows="pictures of clothes",
    groups="",
    labels=fashion.LABELS,
    files=partial(_listed, fashion.FILES, "Fashion-MNIST"),
    read=fashion.read_fashion,
    edge=recipes.FASHION_EDGE,
    cloud=recipes.FASHION_CLOUD,
    share=0.27,
)
DATASETS = {each.name: each for each in (ECG, SPEECH, FASHION)}


def speech_by_speaker(held_out: int) -> Dataset:
    """The spoken digits of one speaker whom neither model has heard, with half of them going up."""
    return msgspec.structs.replace(
        SPEECH,
        name=f"speech-without-{held_out}",
        read=partial(speech.read_speech_by_speaker, held_out=held_out),
        share=0.5,
    )
