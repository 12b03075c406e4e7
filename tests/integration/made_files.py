"""Small pictures, sounds and tables in the forms that people have, written by the tests that read them."""

import io
import json
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

CLASSES = ("bag", "boot")


def picture(seed: int = 0, size: tuple[int, int] = (20, 12)) -> Image.Image:
    """Noise of that width and height."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def picture_bytes(seed: int = 0, form: str = "JPEG", size: tuple[int, int] = (20, 12)) -> bytes:
    """The same, encoded."""
    file = io.BytesIO()
    picture(seed, size).save(file, form)
    return file.getvalue()


def write_sound(path: Path, seconds: float = 0.1, rate_hz: int = 8000, channels: int = 1) -> Path:
    """A quiet noise."""
    samples = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate_hz), channels))
    soundfile.write(path, samples, rate_hz)
    return path


def write_classes(folder: Path, rows: int = 6) -> Path:
    """Class folders of JPEG and PNG pictures, called by who took them: ada_0.jpg, ben_1.png …"""
    for at, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for row in range(rows):
            form, ending = (("JPEG", "jpg"), ("PNG", "png"))[row % 2]
            who = ("ada", "ben")[row % 2]
            (folder / name / f"{who}_{row}.{ending}").write_bytes(picture_bytes(100 * at + row, form))
    return folder


def write_coco(folder: Path, boxes: dict[str, list[list[float]]]) -> Path:
    """Pictures of 20x12 with these boxes (x, y, width, height), all of the second of two categories."""
    (folder / "images").mkdir(parents=True)
    images, notes = [], []
    for number, (name, drawn) in enumerate(boxes.items()):
        (folder / "images" / name).write_bytes(picture_bytes(number))
        images.append({"id": number, "file_name": name, "width": 20, "height": 12})
        notes += [
            {"id": len(notes) + at, "image_id": number, "category_id": 7, "bbox": box, "area": 1.0}
            for at, box in enumerate(drawn)
        ]
    categories = [{"id": 7, "name": "boot"}, {"id": 3, "name": "bag"}]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": notes, "categories": categories}))
    return path
