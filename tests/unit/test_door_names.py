"""Doors on one port need a name each, by which a connection finds its door."""

import pytest

from halocline.assemble_hub.doors import Doors, door_names
from halocline.assemble_hub.options import HubOptions
from halocline.errors import Misconfigured


def names(one_port=443, device="a.test", people="b.test", join="c.test"):
    return door_names(
        HubOptions(state="hub", one_port=one_port, device_name=device, people_name=people, join_name=join)
    )


def test_names_are_as_clients_send_them():
    assert names(device="Devices.TEST", people="b\u00fcro.test") == Doors(
        "devices.test", "xn--bro-hoa.test", "c.test"
    )


def test_three_ports_need_no_names():
    assert names(None, None, None, None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"join": None},
        {"join": "a.test"},
        {"join": "A.test"},
        {"join": "192.0.2.7"},
        {"join": "::1"},
        {"join": ""},
        {"join": "a name"},
        {"one_port": None},
    ],
)
def test_doors_that_cannot_be_told_apart_are_refused(wrong):
    with pytest.raises(Misconfigured) as refused:
        names(**wrong)
    assert refused.value.code == "HAL-784"
