"""Make up rows of three kinds, with what they show: readings, pictures, and recordings of machines."""

from typing import NamedTuple

import numpy as np

from halocline.records import Array

SIDE = 32
"""Pixels of a picture."""
WINDOW = 24
"""Readings of a machine that are looked at together."""


class Rows(NamedTuple):
    """Rows `[n, …]`, the class of each int64 `[n]`, and the machine that it comes from, int64 `[n]`."""

    x: Array
    y: Array
    group: Array


def readings(n: int, rng: np.random.Generator) -> Rows:
    """Eight sensors of a part that is good, worn or broken, float32 `[n, 8]`."""
    y = rng.integers(0, 3, n)
    x = rng.normal(0, 1, (n, 8))
    # Worn parts are off in the mean, which a straight line sees; broken ones only in a product.
    x[:, 0] += 2.4 * (y == 1)
    x[:, 1] = np.where(y == 2, 2.2 * np.sign(x[:, 2]), x[:, 1]) + 0.3 * rng.normal(size=n)
    x[:, 3] += 1.6 * (y == 2)
    return Rows(x.astype(np.float32), y, np.arange(n))


def pictures(n: int, rng: np.random.Generator) -> Rows:
    """A disc, a square or a triangle on a noisy ground, uint8 `[n, 32, 32, 3]`."""
    y = rng.integers(0, 3, n)
    return Rows(np.stack([_picture(int(each), rng) for each in y]), y, np.arange(n))


def _picture(shape: int, rng: np.random.Generator) -> Array:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    radius = rng.uniform(5, 11)
    up, across = rows - rng.uniform(13, 19), columns - rng.uniform(13, 19)
    inside = (
        up**2 + across**2 < radius**2,
        np.maximum(abs(up), abs(across)) < radius * 0.86,
        (up < radius * 0.8) & (abs(across) < (up + radius) * 0.62),
    )[shape]
    ground, ink = rng.uniform(30, 110, 3), rng.uniform(130, 245, 3)
    pixels = np.where(inside[..., None], ink, ground) + rng.normal(0, rng.uniform(8, 45), (SIDE, SIDE, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def recordings(n: int, rng: np.random.Generator, *, per_machine: int = 4) -> Rows:
    """Vibration and temperature of machines, float32 `[n, 24, 2]`: steady, rattling or overheating."""
    y = rng.integers(0, 3, n)
    machine = np.arange(n) // per_machine
    own = rng.normal(0, 1, (machine[-1] + 1, 2))[machine]  # each machine hums in its own way
    time = np.arange(WINDOW)
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    hum = np.sin(2 * np.pi * time / 12 + phase)
    rattle = np.sin(2 * np.pi * time / 3 + phase) * rng.uniform(0.5, 1.6, (n, 1)) * (y == 1)[:, None]
    vibration = 1.0 + 0.2 * own[:, :1] + hum + rattle + rng.normal(0, 0.45, (n, WINDOW))
    climb = time / WINDOW * rng.uniform(1.5, 6.0, (n, 1)) * (y == 2)[:, None]
    temperature = 60 + 2 * own[:, 1:] + climb + rng.normal(0, 0.8, (n, WINDOW))
    return Rows(np.stack([vibration, temperature], axis=2).astype(np.float32), y, machine)
