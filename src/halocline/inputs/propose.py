"""Propose what a model's input means from its name, type and shape, and say what these cannot tell."""

from typing import NamedTuple, cast, get_args

from halocline.inputs.description import ArrayInput, DType, FloatType, ImageInput, Input, SeriesInput

_SMALLEST_PICTURE = 8
_SOUND_NAMES = ("mel", "spec", "audio", "wav", "sound", "speech", "input_features")
_GUESS_SIDE = 224
_SCALING = frozenset({"Div", "Mul", "Sub", "BatchNormalization"})

_DTYPES: dict[str, DType] = {name: name for name in get_args(DType)}

NUMBERS = "scale, mean and std: the numbers that the model was trained on. Look at its training code"
COLOURS = "colour: whether the channels are red, green, blue ('rgb') or the other way round ('bgr', OpenCV)"
FIT = "fit and filter: whether training pictures were stretched, cropped or padded to size, and how resized"


class Proposal(NamedTuple):
    """A description to begin with (None where there is nothing to propose), and what is not known, by key."""

    input: Input | None
    unknown: tuple[str, ...]


def propose(name: str, dtype: str, row: tuple[int, ...], first_operators: tuple[str, ...] = ()) -> Proposal:
    """What an input of that name, numpy dtype and row shape (-1 is any size) is likely to be.

    `first_operators` are those that the graph applies to it first: where they scale it, the description may
    not have to.
    """
    if dtype not in _DTYPES:
        return Proposal(
            None, (f"the model takes {dtype}: no description makes that; give it ready, by name",)
        )
    named_sound = any(word in name.lower() for word in _SOUND_NAMES)
    if len(row) == 3 and not named_sound:
        found = _picture(dtype, row, first_operators)
        if found is not None:
            return found
    if len(row) == 2 and not named_sound and all(size > 0 for size in row):
        return _series(dtype, row)
    unknown = [NUMBERS] if dtype.startswith("float") else []
    if named_sound or len(row) in (2, 3):
        unknown.insert(
            0, "kind: if these are sounds, kind = 'sound' with rate_hz, seconds, n_fft, hop, mels and layout"
        )
    return Proposal(ArrayInput(dtype=_DTYPES[dtype]), tuple(unknown))


def _picture(dtype: str, row: tuple[int, ...], first_operators: tuple[str, ...]) -> Proposal | None:
    if row[0] in (1, 3) and row[2] not in (1, 3):
        layout, channels, height, width = "chw", *row
    elif row[2] in (1, 3):
        layout, height, width, channels = "hwc", *row
    else:
        return None
    if any(0 < size < _SMALLEST_PICTURE for size in (width, height)):
        return None
    whole = not dtype.startswith("float")
    unknown = [FIT]
    if channels == 1:
        unknown.insert(0, "kind: one channel may be a grey picture, or a log-mel picture of a sound")
    else:
        unknown.append(COLOURS)
    scaled = [operator for operator in first_operators if operator in _SCALING]
    if scaled and not whole:
        unknown.append(f"scale: the graph itself begins with {', '.join(scaled)}: scale = 1 may be right")
    if not whole:
        unknown.append(NUMBERS)
    if min(width, height) < 0:
        unknown.append(f"width and height: the graph leaves them open; {_GUESS_SIDE} is a guess")
    return Proposal(
        ImageInput(
            width if width > 0 else _GUESS_SIDE,
            height if height > 0 else _GUESS_SIDE,
            colour="grey" if channels == 1 else "rgb",
            layout="hwc" if layout == "hwc" else "chw",
            dtype=_DTYPES[dtype],
            scale=1.0 if whole else 1 / 255,
        ),
        tuple(unknown),
    )


def _series(dtype: str, row: tuple[int, ...]) -> Proposal:
    across = row[1] <= row[0]
    window, columns = row if across else (row[1], row[0])
    unknown = (
        "kind: two axes may be a sensor over time, a grey picture (kind = 'image', layout = 'hw') or a sound",
        f"layout: whether time is the axis of {window} and columns that of {columns}",
        "columns: their names, where samples are tables",
        "missing: what becomes of NaN",
        NUMBERS.replace("scale, mean", "mean"),
    )
    if not dtype.startswith("float"):
        return Proposal(ArrayInput(dtype=_DTYPES[dtype]), unknown[:1])
    return Proposal(
        SeriesInput(columns, window=window, layout="tc" if across else "ct", dtype=cast("FloatType", dtype)),
        unknown,
    )
