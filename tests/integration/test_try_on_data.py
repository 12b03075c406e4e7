"""halocline try on photos, sounds, beats and a series as files: a quiet page that shows what would go up."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import opened_browser, quiet_page, unfold
from commands import output

import halocline as hc
from halocline.demo.datasets.sample_pair import SamplePair

SETS = {"fashion-mnist": "fashion_mnist", "speech": "fsdd", "ecg": "mitbih_beats", "machine-state": "nab"}
SHOWN = {"fashion-mnist": "img", "speech": "img", "ecg": None, "machine-state": "svg"}
"""What a sample that goes up is drawn as, where it is drawn."""


@pytest.fixture(
    scope="module", params=[(name, which) for name in SETS for which in ("made", "real")], ids="-".join
)
def pair(request: pytest.FixtureRequest, root: Path) -> tuple[str, SamplePair]:
    name, which = request.param
    real = root.parent / "shared" / "data" / SETS[name]
    if which == "real" and not real.is_dir():
        pytest.skip(f"{SETS[name]} is not beside the repository")
    return name, hc.samples.pair(name, real if which == "real" else None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


def tried(pair: SamplePair, page: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    words = ["--edge", pair.edge, "--cloud", pair.cloud, "--data", pair.test, "--escalate", "25%"]
    return json.loads(output(capsys, "try", *words, "--out", page, "--json"))


def test_the_figures_are_those_of_the_whole_set_and_the_second_run_asks_nothing(
    pair: tuple[str, SamplePair],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    told = tried(pair[1], tmp_path / "try.html", capsys)
    again = tried(pair[1], tmp_path / "again.html", capsys)
    assert told["asked"]["rows_asked"] > 0
    assert again["asked"]["rows_asked"] <= 10  # what times the cloud
    for key in ("verdict", "curve", "saved", "threshold"):
        assert again[key] == told[key]
    edge, cloud, tiered = (told[way]["accuracy"]["value"] for way in ("edge_alone", "cloud_alone", "tiered"))
    assert min(edge, cloud) - 0.02 <= tiered <= max(edge, cloud) + 0.03
    assert 0.05 < 1 - told["saved"] < 0.45


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_quiet_fits_and_draws_what_goes_up(
    pair: tuple[str, SamplePair],
    width: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    browser: Any,
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    name, models = pair
    tried(models, tmp_path / "try.html", capsys)
    with quiet_page(browser, tmp_path / "try.html", width) as page:
        unfold(page)
        shown = page.locator("main").inner_text()
        assert "What goes up" in shown
        assert "edge alone" in shown
        drawn = SHOWN[name]
        if drawn is not None:
            assert page.locator(f".gallery {drawn}").count() >= 6
