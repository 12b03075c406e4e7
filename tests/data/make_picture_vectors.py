"""Write pictures.npz: what torchvision's usual transforms make of small pictures. See README.md."""

import io
import json
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def photo(rows: int, columns: int, seed: int) -> np.ndarray:
    """Smooth light, hard edges and noise."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:rows, 0:columns]
    light = np.stack([127 + 100 * np.sin(across / 9 + down / (7 + at)) for at in range(3)], axis=2)
    light[rows // 4 : rows // 2, columns // 3 :] = rng.integers(0, 256, 3)
    return np.clip(light + rng.normal(0, 12, light.shape), 0, 255).astype(np.uint8)


def usual(*steps: object) -> transforms.Compose:
    """The steps, then a tensor with the means and deviations of ImageNet."""
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


CASES = {
    "stretch_bilinear": usual(transforms.Resize((20, 28))),
    "stretch_bicubic": usual(transforms.Resize((20, 28), InterpolationMode.BICUBIC)),
    "stretch_nearest": usual(transforms.Resize((20, 28), InterpolationMode.NEAREST)),
    "larger_bilinear": usual(transforms.Resize((120, 130))),
    "crop": usual(transforms.Resize(32), transforms.CenterCrop(24)),
    "crop_bicubic": usual(transforms.Resize(24, InterpolationMode.BICUBIC), transforms.CenterCrop(24)),
    "grey": transforms.Compose(
        [
            transforms.Grayscale(),
            transforms.Resize((20, 28)),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.25]),
        ]
    ),
}


def main() -> None:
    """Write the file beside this one."""
    pictures = {"landscape": photo(61, 83, 1), "portrait": photo(77, 50, 2), "square": photo(40, 40, 3)}
    arrays = {f"pixels.{name}": pixels for name, pixels in pictures.items()}
    for name, pixels in pictures.items():
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
        arrays[f"jpeg.{name}"] = np.frombuffer(buffer.getvalue(), np.uint8)
        for case, transform in CASES.items():
            if case == "larger_bilinear" and name != "square":
                continue
            arrays[f"pixels.{name}.{case}"] = transform(Image.fromarray(pixels)).numpy()
        arrays[f"jpeg.{name}.crop"] = CASES["crop"](Image.open(buffer).convert("RGB")).numpy()
    made_with = {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "pillow": PIL.__version__,
    }
    arrays["made_with"] = np.array(json.dumps(made_with))
    np.savez_compressed(Path(__file__).with_name("pictures.npz"), **arrays)


if __name__ == "__main__":
    main()
