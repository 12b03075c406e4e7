"""The promises of prepared pictures: the usual arithmetic to the bit, whatever way the pixels came in."""

import io
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from prepared import prepared, refusal

from halocline.adapters.decoders import decoders
from halocline.errors import Rejected
from halocline.inputs.description import ImageInput
from halocline.inputs.prepare import Decoders, file_of, placement_of, prepare_of
from halocline.inputs.resize import resize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PHOTO = (np.add.outer(np.arange(90) * 2, np.arange(120))[..., None] * (1, 2, 3) % 256).astype(np.uint8)


def encoded(pixels, form="PNG", mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels, mode)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def by_hand(pixels, mean=MEAN, std=STD):
    x = pixels.astype(np.float32) / np.float32(255)
    return (x - np.array(mean, np.float32)) / np.array(std, np.float32)


def test_the_numbers_are_those_of_float32_arithmetic_to_the_bit():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=2)
    told = ImageInput(16, 16, mean=MEAN, std=STD)
    row = prepared(told, every)
    assert (row.dtype, row.shape, row.flags.c_contiguous) == (np.float32, (3, 16, 16), True)
    assert np.array_equal(row, by_hand(every).transpose(2, 0, 1))


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
def test_bytes_a_path_and_an_array_give_the_same_tensor(how, fit, colour, tmp_path):
    told = ImageInput(40, 33, fit=fit, filter=how, colour=colour, mean=(0.5,), std=(0.25,))
    data = encoded(PHOTO)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    first = prepared(told, PHOTO)
    for sample in (data, bytearray(data), memoryview(data), path, str(path), Image.fromarray(PHOTO)):
        assert np.array_equal(prepared(told, sample), first)
    # A device without Pillow resizes in numpy.
    bare = Decoders(read=decoders().read, picture=decoders().picture, sound=decoders().sound, resize=resize)
    assert np.array_equal(prepare_of(told, bare)(PHOTO), first)


def test_a_jpeg_is_what_pillow_decodes():
    data = encoded(PHOTO, "JPEG", quality=70)
    decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    told = ImageInput(120, 90, mean=MEAN, std=STD)
    assert np.array_equal(prepared(told, data), by_hand(decoded).transpose(2, 0, 1))


def test_layouts_and_colours_are_axes_and_channels_moved():
    chw = prepared(ImageInput(120, 90, scale=1), PHOTO)
    assert np.array_equal(chw, PHOTO.transpose(2, 0, 1))
    assert np.array_equal(prepared(ImageInput(120, 90, scale=1, layout="hwc"), PHOTO), PHOTO)
    assert np.array_equal(
        prepared(ImageInput(120, 90, scale=1, layout="hwc", colour="bgr"), PHOTO), PHOTO[..., ::-1]
    )
    grey = prepared(ImageInput(120, 90, scale=1, layout="hw", colour="grey"), PHOTO)
    assert np.array_equal(grey, np.asarray(Image.fromarray(PHOTO).convert("L")))
    assert prepared(ImageInput(120, 90, colour="grey"), PHOTO).shape == (1, 90, 120)


def test_a_batch_axis_of_one_may_stand_before_a_picture():
    told = ImageInput(50, 40)
    assert np.array_equal(prepared(told, PHOTO[None]), prepared(told, PHOTO))


def test_mean_and_std_are_in_the_order_of_the_colours():
    rgb = prepared(ImageInput(120, 90, mean=(1, 2, 3), std=(4, 5, 6), scale=1), PHOTO)
    bgr = prepared(ImageInput(120, 90, mean=(3, 2, 1), std=(6, 5, 4), scale=1, colour="bgr"), PHOTO)
    assert np.array_equal(bgr, rgb[::-1])


def test_whole_number_tensors_are_the_pixels():
    row = prepared(ImageInput(120, 90, dtype="uint8", scale=1, layout="hwc"), PHOTO)
    assert row.dtype == np.uint8
    assert np.array_equal(row, PHOTO)
    signed = prepared(ImageInput(120, 90, dtype="int8", scale=1, mean=128, layout="hwc"), PHOTO)
    assert np.array_equal(signed, (PHOTO.astype(int) - 128).astype(np.int8))


def test_a_grey_picture_is_three_equal_channels_where_the_model_wants_colours():
    grey = PHOTO[..., 0]
    for sample in (grey, grey[..., None], encoded(grey)):
        row = prepared(ImageInput(50, 40, scale=1), sample)
        assert np.array_equal(row[0], row[1])
        assert np.array_equal(row[0], prepared(ImageInput(50, 40, scale=1, colour="grey"), sample)[0])


def test_padding_is_filled_and_centred():
    row = prepared(ImageInput(100, 100, fit="pad", scale=1, fill=7), np.full((50, 200, 3), 200, np.uint8))
    assert (row[:, :37] == 7).all()
    assert (row[:, 37:62] == 200).all()
    assert (row[:, 62:] == 7).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_taken_on_its_side_stands_upright(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {
        2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
        6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270,
    }  # fmt: skip
    upright = Image.fromarray(PHOTO)
    as_stored = upright.transpose(back[orientation]) if orientation in back else upright
    data = encoded(
        as_stored, form, exif=exif, **({"quality": 95, "subsampling": 0} if form == "JPEG" else {})
    )
    told = ImageInput(60, 45, scale=1)
    assert placement_of(data, ImageInput(60, 45, fit="pad"), decoders()).width == 60
    error = np.abs(prepared(told, data) - prepared(told, PHOTO))
    assert error.max() <= (0 if form == "PNG" else 12)


def test_palette_alpha_one_bit_sixteen_bit_and_cmyk_pictures_are_taken():
    told = ImageInput(120, 90, scale=1)
    plain = prepared(told, PHOTO)
    seen = Image.fromarray(PHOTO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alpha = seen.copy()
        alpha.putalpha(Image.fromarray(PHOTO[..., 1]))
        assert np.array_equal(prepared(told, encoded(alpha)), plain)
        few = seen.quantize(64)
        few_rgb = np.asarray(few.convert("RGB")).transpose(2, 0, 1)
        assert np.array_equal(prepared(told, encoded(few)), few_rgb)
        assert np.array_equal(prepared(told, encoded(few, transparency=bytes(range(64)))), few_rgb)
        grey_alpha = seen.convert("LA")
        assert np.array_equal(prepared(told, encoded(grey_alpha))[0], np.asarray(seen.convert("L")))
        one = seen.convert("1")
        assert set(np.unique(prepared(told, encoded(one)))) == {0, 255}
        deep = Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257)
        assert np.array_equal(prepared(told, encoded(deep))[0], PHOTO[..., 0])
        cmyk = seen.convert("CMYK")
        error = np.abs(prepared(told, encoded(cmyk, "JPEG", quality=100, subsampling=0)) - plain)
        assert np.median(error) <= 2


def chunk(name, body):
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def bomb(width, height):
    """A PNG of a few hundred bytes that announces so many pixels."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(999)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 10_000), (40_001, 1000), (200_000, 200_000), (1 << 31, 1 << 31)])
def test_a_picture_too_large_is_refused_by_its_header(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, message = refusal(ImageInput(8, 8), bomb(*size))
    assert code == "HAL-312"
    assert f"{size[0]} x {size[1]}" in message
    assert "max_pixels" in message


def test_the_limit_of_pixels_is_the_descriptions():
    data = encoded(PHOTO)
    assert refusal(ImageInput(8, 8, max_pixels=90 * 120 - 1), data)[0] == "HAL-312"
    assert prepared(ImageInput(8, 8, max_pixels=90 * 120), data).shape == (3, 8, 8)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_cut_off_anywhere_is_refused(form):
    data = encoded(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8), form)
    for share in (0.0, 0.001, 0.01, 0.1, 0.5, 0.9):
        code, message = refusal(ImageInput(8, 8), data[: int(len(data) * share)])
        assert code == "HAL-311"
        assert "picture" in message


def test_bytes_that_are_no_picture_say_what_they_are():
    for data, says in (
        (b"", "no bytes"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a WAV sound"),
        (b"GIF89a" + bytes(40), "a GIF picture"),
        (b"<html>", "markup"),
        (bytes(100), "100 bytes of something else"),
    ):
        code, message = refusal(ImageInput(8, 8), data)
        assert code == "HAL-311"
        assert says in message


def test_an_array_that_is_no_picture_says_what_to_do():
    for sample, code, says in (
        (PHOTO.astype(np.float32), "HAL-310", "by its input's name"),
        (PHOTO.astype(np.uint16), "HAL-310", ">> 8"),
        (PHOTO.transpose(2, 0, 1), "HAL-310", "transpose(1, 2, 0)"),
        (np.stack([PHOTO, PHOTO]), "HAL-310", "infer_batch"),
        (np.zeros((8, 8, 4), np.uint8), "HAL-310", "[..., :3]"),
        (np.zeros((0, 8, 3), np.uint8), "HAL-314", "holds nothing"),
        (None, "HAL-310", "NoneType"),
        (3.5, "HAL-310", "float64 []"),
    ):
        seen, message = refusal(ImageInput(8, 8), sample)
        assert seen == code
        assert says in message


def test_an_error_about_a_file_names_the_file(tmp_path):
    (tmp_path / "cut.jpg").write_bytes(encoded(PHOTO, "JPEG")[:400])
    for path, code in (
        (tmp_path / "cut.jpg", "HAL-311"),
        (tmp_path / "no.jpg", "HAL-316"),
        (tmp_path, "HAL-316"),
    ):
        seen, message = refusal(ImageInput(8, 8), path)
        assert seen == code
        assert message.startswith(f"{path}: ")
        assert message.count(str(path)) == 1
    with pytest.raises(Rejected, match=r"no\.jpg: does not exist"):
        file_of(tmp_path / "no.jpg", decoders())


def test_a_file_is_named_also_where_the_error_begins_with_the_same_letters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(encoded(PHOTO, "JPEG")[:400])
    assert refusal(ImageInput(8, 8), "a")[1].startswith("a: a JPEG picture")


def test_the_original_bytes_are_at_hand_where_there_are_any(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert file_of(tmp_path / "a.bin", decoders()) == file_of(b"abc", decoders()) == b"abc"
    assert file_of(PHOTO, decoders()) is None
