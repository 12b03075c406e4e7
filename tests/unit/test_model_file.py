"""The promises of a model's description: what the file says is what is read, and a slip is named."""

import re

import msgspec
import pytest

from halocline.errors import Misconfigured
from halocline.inputs.description import INPUTS as KINDS
from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput, SoundInput
from halocline.records import Task
from halocline.wire.model_file import (
    Description,
    beside,
    canonical,
    described_digest,
    description_text,
    input_from_json,
    input_to_json,
    read_description,
)

INPUTS = [
    ImageInput(
        32, 24, fit="crop", shorter_side=40, filter="bicubic", colour="bgr", mean=(0.5,), std=(0.2,) * 3
    ),
    ImageInput(8, 8, layout="hw", colour="grey", dtype="uint8", scale=1),
    SoundInput(8000, 1.0, n_fft=256, hop=80, mels=24, layout="1mt", mean=[-3], std=2.5),
    SoundInput(16_000, 0.5, feature="waveform"),
    SeriesInput(("temperature", "load"), window=24, missing="interpolate"),
    SeriesInput(3, window=5, layout="f"),
    ArrayInput(),
    ArrayInput(dtype="float32", scale=0.1),
]


def written(folder, text):
    path = folder / "edge.model.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder, text):
    path = written(folder, text)
    with pytest.raises(Misconfigured) as caught:
        read_description(path)
    assert caught.value.code == "HAL-208"
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(str(path))
    return caught.value.message


@pytest.mark.parametrize("value", INPUTS, ids=repr)
def test_what_is_written_is_what_is_read(value, tmp_path):
    told = Description(task=Task.CLASSIFY, labels=('a "b"', "ü"), input=value)
    path = written(tmp_path, description_text(told, "A head."))
    assert read_description(path) == told
    assert input_from_json(input_to_json(value)) == value


def test_every_key_stands_on_the_page_and_its_tables_are_read(root, tmp_path):
    page = (root / "docs" / "how-to" / "describe-your-input.md").read_text(encoding="utf-8")
    missing = [
        f"{kind}.{key}"
        for kind, struct in KINDS.items()
        for key in struct.__struct_fields__
        if not re.search(rf"`{key}`|^{key} = ", page, re.MULTILINE)
    ]
    assert not missing
    tables = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    kinds = [read_description(written(tmp_path, table)).input.__struct_config__.tag for table in tables]
    assert kinds == ["sound", "series", "array"]


def test_a_plain_file_is_read(tmp_path):
    path = written(
        tmp_path,
        'task = "classify"\nlabels = ["shirt", "bag"]\n[input]\nkind = "image"\nwidth = 32\nheight = 16\n'
        'mean = [0.5, 0.5, 0.5]\nscale = 1\ndtype = "uint8"\n',
    )
    read = read_description(path)
    assert read.labels == ("shirt", "bag")
    assert read.input == ImageInput(32, 16, mean=(0.5,) * 3, scale=1.0, dtype="uint8")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('tsak = "classify"', "'task'"),
        ("[inptu]\nwidth = 3", "'input'"),
        ('[input]\nkind = "image"\nwidht = 3\nheight = 4', "input.widht is not a key. Did you mean 'width'?"),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nzzz = 1', "Known are width, height"),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nfit = "strech"', "'stretch'"),
        ('[input]\nkind = "sond"', "image, sound, series, array, got 'sond'. Did you mean 'sound'?"),
        ('task = "clasify"', "'classify'"),
        ("[input]\nwidth = 3", "no kind"),
        ('[input]\nkind = "image"\nwidth = 3', "height"),
        ('[input]\nkind = "image"\nwidth = "3"\nheight = 4', "input.width"),
        ('[input]\nkind = "image"\nwidth = 0\nheight = 4', "width must be a whole number in [1, "),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nstd = [0.1, 0.0, 0.1]', "above 0"),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nmean = [0.1, 0.2]', "1 number or 3"),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nmean = [nan]', "finite"),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\nshorter_side = 9', "fit = 'crop'"),
        (
            '[input]\nkind = "image"\nwidth = 3\nheight = 4\nmean = [123.7, 116.3, 103.5]',
            "mean 123.7 lies beyond the largest value, 255 * scale = 1: try scale = 1, or mean / 255",
        ),
        ('[input]\nkind = "image"\nwidth = 3\nheight = 4\ndtype = "uint8"', "scale = 1"),
        ('[input]\nkind = "sound"\nrate_hz = 8000\nseconds = 0.001\ncentre = "none"', "no frame"),
        ('[input]\nkind = "sound"\nrate_hz = 8000\nseconds = 1\nhigh_hz = 5000', "high_hz"),
        ('[input]\nkind = "sound"\nrate_hz = 8000\nseconds = 1\nlayout = "mm"', "layout"),
        ('[input]\nkind = "series"\ncolumns = ["a", "a"]\nwindow = 3', "twice"),
        ('[input]\nkind = "series"\ncolumns = 2\nwindow = 3\nmissing = "mean"', "needs mean"),
        ("labels = 3", "labels"),
        ("= 3", "TOML"),
    ],
)
def test_a_slip_in_the_file_is_named_with_its_remedy(text, says, tmp_path):
    assert says in refusal(tmp_path, text)


def test_a_file_that_is_not_there_or_no_text_says_so(tmp_path):
    with pytest.raises(Misconfigured, match="does not exist"):
        read_description(tmp_path / "no.model.toml")
    (tmp_path / "edge.model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Misconfigured, match="not text"):
        read_description(tmp_path / "edge.model.toml")


def test_the_digest_names_the_meaning_and_not_the_words(tmp_path):
    one = read_description(written(tmp_path, '[input]\nkind = "array"\nscale = 2\nmean = [1]\n'))
    same = read_description(written(tmp_path, '# why\n[input]\nmean = [1.0]\nscale = 2.0\nkind = "array"\n'))
    other = Description(input=ArrayInput(scale=2.0, mean=(1.5,)))
    assert canonical(one) == canonical(same) == canonical(Description(input=ArrayInput(scale=2, mean=[1])))
    said = ImageInput(8, 8, scale=float("0.00392156862745098"), fit="".join(["str", "etch"]), fill=114)
    assert canonical(Description(input=said)) == canonical(Description(input=ImageInput(8, 8)))
    assert described_digest("sha256:aa", one) == described_digest("sha256:aa", same)
    assert described_digest("sha256:aa", one) != described_digest("sha256:aa", other)
    assert described_digest("sha256:aa", one) != described_digest("sha256:ab", one)


def test_a_digest_that_was_written_down_stays_true():
    # A policy names the model that it was tuned for by this: another value voids every policy in the field.
    told = Description(input=ImageInput(32, 32, mean=(0.5,)), labels=("a", "b"))
    assert canonical(told) == (
        b'{"input":{"height":32,"kind":"image","mean":[0.5],"width":32},"labels":["a","b"]}'
    )


def test_metadata_that_is_no_description_is_refused():
    for text in ("{", '{"kind":"image"}', '{"kind":"smell"}', '{"kind":"image","width":0,"height":1}'):
        with pytest.raises(Misconfigured) as caught:
            input_from_json(text)
        assert caught.value.code == "HAL-208"


def test_the_shape_of_a_row_follows_the_layout():
    shapes = [msgspec.to_builtins(value.row_shape) for value in INPUTS]
    assert shapes == [(3, 24, 32), (8, 8), (1, 24, 101), (8000,), (24, 2), (15,), None, None]


def test_the_description_lies_beside_the_model():
    assert beside("/models/edge.v2.onnx").as_posix() == "/models/edge.v2.model.toml"
