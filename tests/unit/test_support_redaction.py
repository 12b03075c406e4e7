"""What looks like a secret is taken out of text for others, and what helps them stays."""

import pytest

from halocline.cli.support.redact import GONE, Redactor


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("joined by hc1.AAAqkdkwiIiwx-_9 now", "AAAqkdkwiIiwx-_9"),
        ("token hct_0123456789abcdefghij was used", "0123456789abcdefghij"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ('{"authorization": "Basic dXNlcjpwdw=="}', "dXNlcjpwdw=="),
        ("GET https://ann:pw1@host/x failed", "pw1"),
        ("postgresql://hub:p%40ss@db/halo", "p%40ss"),
        ("password=short", "short"),
        ('"passphrase": "two words"', "two words"),
        ("api_key: k-1", "k-1"),
        ("sent to https://hooks.example.com/services/T0/B0/xyz", "xyz"),
        ("sent to https://example.com/api/webhooks/12/xyz", "xyz"),
        ("GET https://example.com/x?sig=xyz", "xyz"),
        ("key AbCdEfGhIjKlMnOpQrStUv1234 lost", "AbCdEfGhIjKlMnOpQrStUv1234"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "AAAA"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\ncut off", "AAAA"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, secret: str) -> None:
    redactor = Redactor([])
    assert secret not in redactor.text(text)
    assert GONE in redactor.text(text)
    assert redactor.count


@pytest.mark.parametrize(
    "text",
    [
        "dev-lbidczsbmjjdotzy of https://hub.example:8443: no answer [HAL-721]",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "ca_passphrase is given by reference, env:NAME or file:PATH",
        "2026-11-25 10:36:44,923 WARNING halocline.channel: the certificate was renewed",
        "a label of type=cam, region=eu",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Redactor([]).text(text) == text


@pytest.mark.parametrize("written", ["p@ss/word", "p%40ss/word", "p%40ss%2Fword"])
def test_a_known_secret_goes_however_it_is_written(written: str) -> None:
    assert written not in Redactor(["p@ss/word\n"]).text(f"before {written} after")


def test_what_stands_under_the_name_of_a_secret_goes_whole() -> None:
    told = Redactor([]).values({"webhook_secret": "x", "list": [{"token": "y", "name": "ann"}], "count": 1})
    assert told == {"webhook_secret": GONE, "list": [{"token": GONE, "name": "ann"}], "count": 1}


def test_a_short_word_is_no_secret_that_is_known() -> None:
    assert Redactor(["a", "hub"]).text("a hub") == "a hub"
