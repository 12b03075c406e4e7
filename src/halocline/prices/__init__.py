"""Say what calls and bytes cost, by a file of prices that names where each was read, and when."""

import datetime
import tomllib
from importlib import resources
from pathlib import Path

import msgspec

from halocline.errors import Misconfigured


class CallPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one call."""

    usd: float
    what: str
    source: str
    read: datetime.date


class ComputePrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the memory-seconds of one row; `gb` and `s_per_row` are assumptions."""

    usd_per_gb_s: float
    what: str
    source: str
    read: datetime.date
    gb: float
    s_per_row: float


class LinkPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a megabyte (1,000,000 bytes), either way."""

    usd_per_mb: float
    what: str
    source: str
    read: datetime.date


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a cloud call costs."""

    cloud_call: CallPrice
    cloud_compute: ComputePrice
    link: LinkPrice

    def cost_usd(self, *, rows: int, link_bytes: int) -> float:
        """What it costs to have that many rows answered elsewhere, and to carry that many bytes."""
        compute = self.cloud_compute
        per_row = self.cloud_call.usd + compute.usd_per_gb_s * compute.gb * compute.s_per_row
        return rows * per_row + link_bytes / 1e6 * self.link.usd_per_mb


def read_prices(path: Path | None = None) -> Prices:
    """The prices of that file, or the list prices that come along. Raises Misconfigured (HAL-304)."""
    where = path or resources.files("halocline.prices").joinpath("prices.toml")
    try:
        return msgspec.convert(tomllib.loads(where.read_text(encoding="utf-8")), Prices)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        why = fault.strerror or fault if isinstance(fault, OSError) else fault
        raise Misconfigured(
            "HAL-304", f"{where} is not a file of prices: {why}. Start from the one in halocline/prices"
        ) from fault
