"""Which rules hold for a connection where a door's certificates change under it: OpenSSL asked itself."""

import contextlib
import ssl
import time

import pytest

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.request import make_key, make_request, read_request
from halocline.assemble_hub.shown import _context, _Shelf


class Side:
    """An authority, with a server's and a device's files."""

    def __init__(self, folder):
        folder.mkdir()
        authority = CertificateAuthority.open(folder / "ca", now_s=time.time())
        self.root = authority.root_pem
        server = authority.issue_server(["localhost"], now_s=time.time())
        self.server, self.device = folder / "server.pem", folder / "device.pem"
        self.server.write_text(server.chain + server.key)
        key = make_key()
        public = read_request(make_request(key)).public_key
        chain, _ = authority.issue_device(public, "dev-a", now_s=time.time(), valid_s=60)
        self.device.write_bytes(chain.encode() + key)


@pytest.fixture
def sides(tmp_path):
    return Side(tmp_path / "one"), Side(tmp_path / "two")


def shakes_hands(shelf, server, device=None):
    """The certificate that the server saw; SSLError where one of them refuses."""
    trusting = ssl.create_default_context(cadata=server.root)
    if device is not None:
        trusting.load_cert_chain(device.device)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(back, there, server_hostname="localhost")
    door = shelf.wrap_bio(there, back, server_side=True)
    for end in (client, door, client, door):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return door.getpeercert(binary_form=True)


def test_the_authorities_of_the_moment_decide_whose_certificate_is_taken(sides):
    one, two = sides
    shelf = _Shelf(asks=True)
    for ours, other in ((one, two), (two, one)):
        shelf.holds = _context(ours.root, ours.server)
        assert shakes_hands(shelf, ours, ours)
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.verify.failed"):
            shakes_hands(shelf, ours, other)
        with pytest.raises(ssl.SSLError, match=r"(?i)did.not.return.a.certificate"):
            shakes_hands(shelf, ours)


def test_a_shelf_that_asks_for_none_lets_people_in(sides):
    one, _ = sides
    shelf = _Shelf(asks=False)
    shelf.holds = _context(None, one.server)
    assert shakes_hands(shelf, one) is None


def test_whether_a_certificate_is_asked_for_does_not_follow_the_context(sides):
    """Why a shelf asks itself, and why doors on one port are told apart before TLS."""
    one, _ = sides
    shelf = _Shelf(asks=False)
    shelf.holds = _context(one.root, one.server)
    assert shakes_hands(shelf, one) is None
