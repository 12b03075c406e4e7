"""Say how long a cloud call takes on a kind of link: modelled, as the page says, not measured."""

import msgspec

from halocline.errors import Misconfigured


class LinkModel(msgspec.Struct, frozen=True):
    """A kind of link: one round trip on a connection that is open, and bits a second on the way up."""

    name: str
    round_trip_s: float
    up_bits_per_s: float

    def call_s(self, payload_bytes: int) -> float:
        """What the link adds to a call that carries so many bytes up."""
        return self.round_trip_s + payload_bytes * 8 / self.up_bits_per_s


# Round figures for a link of its kind on an ordinary day; a link of one's own is measured by running.
LINKS = {
    "lte": LinkModel("lte", round_trip_s=0.050, up_bits_per_s=10e6),
    "wifi": LinkModel("wifi", round_trip_s=0.010, up_bits_per_s=50e6),
    "1mbit": LinkModel("1mbit", round_trip_s=0.100, up_bits_per_s=1e6),
}


def link_named(name: str) -> LinkModel:
    """The model of that name. Raises Misconfigured (HAL-340)."""
    if name not in LINKS:
        raise Misconfigured("HAL-340", f"link must be one of {', '.join(LINKS)}, got {name!r}")
    return LINKS[name]
