"""The parts of a trial: which rows choose, what a month and a call take, how a row is shown."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from halocline.errors import Misconfigured
from halocline.prices import read_prices
from halocline.stats.bounds import Estimate
from halocline.trial.link import LINKS, link_named
from halocline.trial.look import Lines, Picture, Values, check_kind, look_of
from halocline.trial.png import png_of
from halocline.trial.run import worth_of
from halocline.trial.samples import MOST_SHOWN, moves_of, picked
from halocline.trial.split import choosing_half
from halocline.trial.timing import kept_timing
from halocline.trial.ways import month_of
from halocline.tuning.gathered import Latency

RNG = np.random.default_rng(3)


def test_half_of_the_rows_choose_and_the_seed_decides_which() -> None:
    x = {"x": RNG.random((101, 3))}
    half = choosing_half(x, None, 0)
    assert half.sum() == 51
    assert (half == choosing_half(x, None, 0)).all()
    assert (half != choosing_half(x, None, 1)).any()


def test_no_group_is_on_both_sides() -> None:
    groups = RNG.integers(0, 9, 400)
    half = choosing_half({"x": RNG.random((400, 2))}, groups, 0)
    assert not set(groups[half]) & set(groups[~half])
    assert len(set(groups[half])) == 5


def test_copies_of_a_row_are_on_one_side() -> None:
    rows = RNG.integers(0, 30, 300)[:, None].astype(np.float32)
    half = choosing_half({"x": rows}, None, 0)
    assert not set(rows[half].ravel()) & set(rows[~half].ravel())
    assert 0 < half.sum() < 300


def test_one_group_is_parted_by_rows() -> None:
    half = choosing_half({"x": RNG.random((50, 2))}, np.zeros(50), 0)
    assert half.sum() == 25


def test_a_month_is_thirty_days_of_the_calls_that_go_up() -> None:
    prices = read_prices()
    month = month_of(1000, 0.25, 2000, prices)
    assert (month.requests, month.cloud_calls, month.bytes_up) == (30_000, 7500, 15_000_000)
    assert month.usd == pytest.approx(prices.cost_usd(rows=7500, link_bytes=15_000_000))
    assert month_of(1000, 0.0, 2000, prices).usd == 0


def test_a_call_takes_a_round_trip_and_its_bytes() -> None:
    assert LINKS["1mbit"].call_s(125_000) == pytest.approx(LINKS["1mbit"].round_trip_s + 1.0)
    with pytest.raises(Misconfigured, match="lte, wifi, 1mbit, got 'pigeon'"):
        link_named("pigeon")


def test_every_row_is_counted_once_by_who_was_right() -> None:
    up, edge, cloud = RNG.random((3, 200)) < 0.5
    moves = moves_of(up, edge, cloud)
    assert moves.up + moves.stayed == 200
    assert moves.up_mended + moves.up_needless + moves.up_in_vain + moves.up_spoilt == moves.up == up.sum()
    assert moves.stayed_right + moves.stayed_lost + moves.stayed_wrong == moves.stayed
    assert moves.up_mended == (up & ~edge & cloud).sum()
    assert moves.stayed_lost == (~up & ~edge & cloud).sum()


def test_the_rows_shown_go_up_and_the_least_sure_come_first() -> None:
    up, sure = RNG.random(500) < 0.3, RNG.random(500)
    shown = picked(up, sure, 0)
    assert len(set(shown)) == len(shown) == MOST_SHOWN
    assert up[shown].all()
    assert (np.diff(sure[shown]) >= 0).all()
    assert shown == picked(up, sure, 0) != picked(up, sure, 1)


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3), (1, 1)])
def test_a_png_holds_the_very_pixels(shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape).astype(np.uint8)
    with Image.open(io.BytesIO(png_of(pixels))) as picture:
        assert (np.asarray(picture) == pixels).all()


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((28, 28), Picture),
        ((1, 28, 28), Picture),
        ((3, 32, 32), Picture),
        ((32, 32, 3), Picture),
        ((6,), Values),
        ((1, 6), Values),
        ((64,), Lines),
        ((128, 3), Lines),
        ((3, 128), Lines),
        ((), Values),
    ],
)
def test_the_shape_suggests_how_a_row_is_shown(shape: tuple[int, ...], kind: type) -> None:
    assert type(look_of(RNG.random(shape))) is kind


def test_what_is_said_goes_before_the_shape() -> None:
    flat = look_of(RNG.random(64), "picture")
    assert isinstance(flat, Picture)
    assert (flat.width, flat.height) == (8, 8)
    assert isinstance(look_of(RNG.random((28, 28)), "values"), Values)
    assert isinstance(look_of(RNG.random(60), "picture"), Lines)  # no square: no picture
    with pytest.raises(Misconfigured, match="picture, sound, series, values, got 'smell'"):
        check_kind("smell")


def test_a_tone_is_one_bright_line_in_its_spectrogram() -> None:
    tone = np.sin(2 * np.pi * 0.125 * np.arange(8000))  # an eighth of the rate: a quarter of the height
    look = look_of(tone, "sound")
    assert isinstance(look, Picture)
    assert look.is_sound
    with Image.open(io.BytesIO(look.png)) as picture:
        bright = np.asarray(picture).sum(axis=2).mean(axis=1)
    assert bright.argmax() / len(bright) == pytest.approx(0.75, abs=0.02)


def test_a_large_picture_is_made_small_and_a_long_series_short() -> None:
    large = look_of(RNG.random((500, 400)))
    assert isinstance(large, Picture)
    assert max(large.width, large.height) <= 128
    long = look_of(RNG.random(10_000))
    assert isinstance(long, Lines)
    assert len(long.lines[0]) <= 160


@pytest.mark.parametrize("row", [np.full((8, 8), 3.0), np.full(20, math.nan), np.array(["a", "b"])])
def test_a_row_with_nothing_to_see_is_shown_all_the_same(row: np.ndarray) -> None:
    assert look_of(row) is not None


def test_a_time_is_measured_once_for_each_cloud(tmp_path) -> None:
    taken = []

    def measure() -> Latency:
        taken.append(1)
        return Latency(0.1, 0.2, 5)

    first = kept_timing("a cloud", tmp_path, measure)
    assert kept_timing("a cloud", tmp_path, measure) == first
    assert len(taken) == 1
    for identity, cache in (("another", tmp_path), (None, tmp_path), ("a cloud", False)):
        kept_timing(identity, cache, measure)
    assert len(taken) == 4


def test_a_damaged_time_is_measured_again(tmp_path) -> None:
    kept_timing("a cloud", tmp_path, lambda: Latency(0.1, 0.2, 5))
    (file,) = (tmp_path / "timings").iterdir()
    file.write_bytes(b"{")
    assert kept_timing("a cloud", tmp_path, lambda: Latency(0.3, 0.4, 5)).latency.p50_s == 0.3


def test_groups_are_worth_between_their_number_and_their_rows() -> None:
    narrow, wide = Estimate(0.9, 0.89, 0.91), Estimate(0.9, 0.7, 1.0)
    assert worth_of(narrow, 10_000, 20) == pytest.approx(0.09 / (0.02 / 3.92) ** 2, rel=1e-3)
    assert worth_of(wide, 10_000, 20) == 20
    assert worth_of(narrow, 500, 20) == 500
    assert worth_of(Estimate(1.0, 0.9, 1.0), 500, 20) == 20


def test_columns_of_other_units_do_not_lie_flat() -> None:
    wave = np.sin(np.arange(24.0))
    alike = look_of(np.stack([wave, 0.5 * wave], axis=1), "series")
    other = look_of(np.stack([wave, 60 + wave], axis=1), "series")
    assert isinstance(alike, Lines)
    assert isinstance(other, Lines)
    assert (alike.has_own_scales, other.has_own_scales) == (False, True)
    assert max(alike.lines[1]) < 0.8
    assert [(min(line), max(line)) for line in other.lines] == [(0.0, 1.0), (0.0, 1.0)]
