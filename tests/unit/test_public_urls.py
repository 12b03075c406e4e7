"""Where others are told that a door stands: one form, that every client can use."""

import pytest

from halocline.adapters.asgi.doors.public import read_public
from halocline.errors import Misconfigured


@pytest.mark.parametrize(
    ("given", "told", "host"),
    [
        ("https://hub.test", "https://hub.test", "hub.test"),
        ("https://HUB.test:8443/", "https://hub.test:8443", "hub.test"),
        ("https://[::1]:8443", "https://[::1]:8443", "::1"),
        ("https://192.0.2.7:1", "https://192.0.2.7:1", "192.0.2.7"),
    ],
)
def test_a_url_of_host_and_port_is_told_as_it_is(given, told, host):
    assert read_public("--join-url", given) == (told, host)


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.test:1",
        "hub.test",
        "",
        "https://",
        "https://hub.test:0",
        "https://hub.test:99999",
        "https://hub.test/v1",
        "https://anna@hub.test",
        "https://hub.test?x=1",
        "https://h\u00fcb.test",
        "https://a b.test",
        "https://[::1",
    ],
)
def test_a_url_of_another_form_is_refused_with_the_flag_it_came_by(url):
    with pytest.raises(Misconfigured, match="--people-url must be https://HOST") as refused:
        read_public("--people-url", url)
    assert refused.value.code == "HAL-780"
