"""Write the heart beats as arrays, training and test patients apart, with the record of each beat."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from halocline.demo.datasets import ecg
from halocline.demo.datasets.public.files import chosen


def write_beats(source: Path, to: Path, rows: int | None) -> Iterable[Path]:
    """TO/train.npz (DS1), TO/test.npz (DS2): x as the demo's models take it, y by name, group by record."""
    parts = ecg.read_ecg(source)
    to.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", parts.train), ("test", parts.test)):
        kept = part.where(np.asarray(chosen(len(part), rows), dtype=np.int64))
        np.savez(to / f"{name}.npz", x=kept.x, y=np.asarray(ecg.LABELS)[kept.y], group=kept.groups)
        yield to / f"{name}.npz"
