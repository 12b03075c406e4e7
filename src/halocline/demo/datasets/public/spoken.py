"""Lay the spoken digits out as WAV files in class folders, with their speakers as groups."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from halocline.demo.datasets import speech
from halocline.demo.datasets.public.files import chosen, write_table, write_wav
from halocline.extras import need

_RECORDING = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")


class _Recording(NamedTuple):
    """Who says which digit the how-manyth time, and what writes it to a path."""

    speaker: str
    digit: int
    take: int
    write: Callable[[Path], object]


def write_recordings(source: Path, to: Path, rows: int | None) -> Iterable[Path]:
    """TO/train and TO/test (takes 0-4): DIGIT/SPEAKER_TAKE.wav, and rows.csv with label and speaker."""
    recordings = [*(_of_files(source) if (source / "recordings").is_dir() else _of_speakers(source))]
    for part in ("train", "test"):
        folder = to / part
        mine = [each for each in recordings if (each.take in speech.TEST_TAKES) == (part == "test")]
        table = []
        for one in (mine[at] for at in chosen(len(mine), rows)):
            name = f"{one.digit}/{one.speaker}_{one.take:02}.wav"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            one.write(folder / name)
            table.append((name, one.digit, one.speaker))
        write_table(folder / "rows.csv", ("file", "label", "group"), table)
        yield folder


def _of_files(source: Path) -> Iterator[_Recording]:
    for path in sorted((source / "recordings").glob("*.wav")):
        found = _RECORDING.fullmatch(path.name)
        if found:
            held = path.read_bytes()
            yield _Recording(found[2], int(found[1]), int(found[3]), _writer_of(held))


def _of_speakers(source: Path) -> Iterator[_Recording]:
    need("sound", "soundfile", what="the spoken digits as FLAC")
    takes = speech.index_of(source)
    sounds = {speaker: speech.decode(source / f"{speaker}.flac") for speaker in {t.speaker for t in takes}}
    for take in takes:
        samples = sounds[take.speaker][take.start : take.start + take.length]

        def write(path: Path, samples: object = samples) -> None:
            write_wav(path, samples, speech.RATE_HZ)  # type: ignore[arg-type]  # bound early

        yield _Recording(take.speaker, take.digit, take.take, write)


def _writer_of(held: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(held)
