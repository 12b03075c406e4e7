"""Money is reckoned from prices that say where and when they were read."""

from pathlib import Path

import pytest

from halocline.errors import Misconfigured
from halocline.prices import read_prices


def test_every_price_names_its_page_and_its_day() -> None:
    prices = read_prices()
    for price in (prices.cloud_call, prices.cloud_compute, prices.link):
        assert price.source.startswith("https://")
        assert price.read.year >= 2026
        assert price.what


def test_a_call_costs_its_request_its_compute_and_its_bytes() -> None:
    prices = read_prices()
    assert prices.cost_usd(rows=0, link_bytes=0) == 0
    assert prices.cost_usd(rows=0, link_bytes=2_000_000) == pytest.approx(0.06)
    assert prices.cost_usd(rows=1_000_000, link_bytes=0) == pytest.approx(0.20 + 1.667)


def test_prices_of_ones_own_are_taken_and_wrong_ones_refused_by_name(tmp_path: Path) -> None:
    from importlib import resources

    shipped = resources.files("halocline.prices").joinpath("prices.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(shipped.replace("usd_per_mb = 0.03", "usd_per_mb = 3.0"))
    assert read_prices(own).cost_usd(rows=0, link_bytes=1_000_000) == pytest.approx(3.0)
    own.write_text(shipped.replace("usd_per_mb", "usd_per_gb"))
    with pytest.raises(Misconfigured, match=r"own\.toml"):
        read_prices(own)
    with pytest.raises(Misconfigured, match=r"missing\.toml"):
        read_prices(tmp_path / "missing.toml")
