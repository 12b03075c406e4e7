"""A company's issuing authority is taken where it can sign, and otherwise refused with what is wrong."""

import time

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from halocline.adapters.certificates import forms
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.given import read_issuer
from halocline.adapters.certificates.request import make_key, make_request, read_request
from halocline.errors import Misconfigured

NOW = time.time()


def files(folder, *chain, key):
    cert, at = folder / "issuer.pem", folder / "issuer.key"
    cert.write_bytes(b"".join(each.cert_pem.bytes() for each in chain))
    at.write_bytes(key.private_key_pem.bytes())
    return cert, at


@pytest.mark.parametrize("kind", [trustme.KeyType.ECDSA, trustme.KeyType.RSA])
def test_an_issuing_authority_two_steps_under_its_root_signs_devices(tmp_path, kind):
    root = trustme.CA(key_type=kind)
    middle = root.create_child_ca(key_type=kind)
    issuing = middle.create_child_ca(key_type=kind)
    cert, key = files(tmp_path, issuing, middle, root, key=issuing)
    authority = CertificateAuthority(read_issuer(cert, key, None, NOW))
    assert authority.root_pem.encode() == root.cert_pem.bytes()
    proven = read_request(make_request(make_key()))
    chain, kept = authority.issue_device(proven.public_key, "dev-a", now_s=NOW, valid_s=60)
    assert read_certificate(chain.encode()) == kept
    leaf, *above = x509.load_pem_x509_certificates(chain.encode())
    for under, over in zip([leaf, *above[:-1]], above, strict=True):
        under.verify_directly_issued_by(over)
    assert chain.encode().endswith(middle.cert_pem.bytes())


def refused(cert, key, passphrase=None, now_s=NOW):
    with pytest.raises(Misconfigured) as caught:
        read_issuer(cert, key, passphrase, now_s)
    assert caught.value.code == "HAL-781"
    return caught.value.message


def test_what_is_no_chain_is_told(tmp_path):
    root, other = trustme.CA(), trustme.CA()
    issuing = root.create_child_ca()
    assert "holds 1 certificates" in refused(*files(tmp_path, issuing, key=issuing))
    assert "not signed by what follows" in refused(*files(tmp_path, issuing, other, key=issuing))
    assert "not signed by what follows" in refused(*files(tmp_path, root, issuing, key=root))
    cert, key = files(tmp_path, issuing, root, key=issuing)
    assert "cannot be read" in refused(tmp_path / "nowhere", key)
    cert.write_text("no PEM")
    assert "no PEM certificates" in refused(cert, key)


def test_a_key_that_does_not_fit_or_open_is_told(tmp_path):
    root = trustme.CA()
    issuing = root.create_child_ca()
    cert, key = files(tmp_path, issuing, root, key=root)
    assert "does not belong" in refused(cert, key)
    assert "is not encrypted" in refused(cert, key, b"a passphrase")
    key.write_text("no key")
    assert "no PEM key" in refused(cert, key)
    assert "cannot be read" in refused(cert, tmp_path / "nowhere")


def test_one_that_has_ended_or_is_no_authority_is_told(tmp_path):
    root = trustme.CA()
    issuing = root.create_child_ca()
    cert, key = files(tmp_path, issuing, root, key=issuing)
    assert "is valid from" in refused(cert, key, now_s=NOW + 3000 * 365 * 86_400.0)
    leaf = root.issue_cert("hub.test")
    cert.write_bytes(leaf.cert_chain_pems[0].bytes() + root.cert_pem.bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    assert "may not sign certificates" in refused(cert, key)


def test_one_deeper_than_its_root_allows_is_told(tmp_path):
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [forms.authority_name("test", mark) for mark in "abc"]
    limits = [0, 0, 0]  # the root allows no authority under the one under it
    chain, signer = [], (names[0], keys[0])
    for name, key, limit in zip(names, keys, limits, strict=True):
        begun = forms.begun(name, signer[0], NOW - 60, NOW + 3600)
        chain.insert(0, forms.authority(begun, key.public_key(), signer[1], limit))
        signer = (name, key)
    cert, key = tmp_path / "issuer.pem", tmp_path / "issuer.key"
    cert.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    key.write_bytes(b"")
    assert "path length" in refused(cert, key)
