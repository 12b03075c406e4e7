"""An invite as one string: read whole, or refused with what is wrong with it."""

import re

import pytest

from halocline.errors import Rejected
from halocline.wire.invite import Invitation, decode_invite, encode_invite

INVITATION = Invitation(
    url="https://hub.example:8445", fingerprint="sha256:" + "ab" * 32, secret=bytes(range(16))
)
TEXT = encode_invite(INVITATION)


def refusal(text: str) -> str:
    with pytest.raises(Rejected) as caught:
        decode_invite(text)
    assert caught.value.code == "HAL-711"
    return caught.value.message


def test_an_invite_is_one_word_that_a_shell_and_a_mail_leave_alone():
    assert re.fullmatch(r"hc1\.[A-Za-z0-9_-]+", TEXT)
    assert len(TEXT) < 160


def test_what_an_invite_holds_comes_back():
    assert decode_invite(TEXT) == INVITATION
    assert INVITATION.shown == "AAECAwQFBgcICQoLDA0ODw=="


def test_an_invite_that_a_terminal_broke_into_lines_is_still_one():
    assert decode_invite(f"  {TEXT[:40]}\n{TEXT[40:80]}\r\n {TEXT[80:]}\n") == INVITATION


@pytest.mark.parametrize("kept", range(8, len(TEXT)))
def test_a_part_of_an_invite_is_told_as_a_part(kept):
    assert f"of its {len(TEXT)} characters are here" in refusal(TEXT[:kept])


def test_more_than_an_invite_is_told_as_more():
    assert "goes on after" in refusal(TEXT + "AA")
    assert "goes on after" in refusal(TEXT + TEXT[4:])


@pytest.mark.parametrize("place", range(8, len(TEXT)))
def test_a_mistyped_character_is_told_as_one(place):
    other = "A" if TEXT[place] != "A" else "B"
    assert "mistyped" in refusal(TEXT[:place] + other + TEXT[place + 1 :])


def test_a_character_that_no_invite_has_is_told():
    assert "mistyped" in refusal(TEXT[:50] + "!" + TEXT[51:])
    assert "mistyped" in refusal(TEXT[:50] + "é" + TEXT[51:])


def test_an_invite_of_another_version_is_told_as_that():
    assert "version 2" in refusal("hc2." + TEXT[4:])


@pytest.mark.parametrize("text", ["", "hello", "https://hub.example:8445", TEXT[4:], "HC1." + TEXT[4:]])
def test_what_is_no_invite_is_told_as_that(text):
    assert "an invite begins with hc1." in refusal(text)


@pytest.mark.parametrize(
    "url", ["http://hub:8445", "ftp://hub", "https://", "https://hub:99999", "https://a\nb"]
)
def test_an_invite_to_no_https_address_is_refused(url):
    assert "https://HOST:PORT" in refusal(
        encode_invite(Invitation(url=url, fingerprint=INVITATION.fingerprint, secret=INVITATION.secret))
    )


def test_a_secret_of_another_length_is_refused():
    short = Invitation(url=INVITATION.url, fingerprint=INVITATION.fingerprint, secret=b"short")
    assert "wrong length" in refusal(encode_invite(short))
