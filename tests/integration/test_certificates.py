"""The hub's authority and what it signs, with real files, processes, openssl and TLS."""

import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.request import has_signed, make_key, make_request, read_request, sign
from halocline.errors import HaloclineError, Misconfigured, Rejected, Untrusted

DEVICE = "dev-aaaaaaaaaaaaaaaa"
NOW = time.time()
DAY = 86_400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> CertificateAuthority:
    return CertificateAuthority.open(tmp_path_factory.mktemp("hub") / "ca", now_s=NOW)


def refused(call, *args, **more) -> HaloclineError:
    with pytest.raises((Rejected, Untrusted, Misconfigured)) as caught:
        call(*args, **more)
    return caught.value


def request_of(key, *, subject="", **extension) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for value in extension.values():
        builder = builder.add_extension(value, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def device_files(folder: Path, authority: CertificateAuthority, **more) -> tuple[Path, Path]:
    key = make_key()
    proven = authority.read_request(make_request(key))
    pem, _ = authority.issue_device(proven.public_key, DEVICE, **({"now_s": NOW, "valid_s": DAY} | more))
    (folder / "cert.pem").write_text(pem)
    (folder / "key.pem").write_bytes(key)
    return folder / "cert.pem", folder / "key.pem"


# The authority's folder


def test_an_authority_is_made_once_and_opened_again(tmp_path):
    first = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    again = CertificateAuthority.open(tmp_path / "ca", now_s=NOW + 1)
    assert again.fingerprint == first.fingerprint
    assert again.nonce_key == first.nonce_key
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


def test_nobody_but_the_owner_reads_any_file_of_the_authority_and_no_key_is_in_the_clear(tmp_path):
    CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    for path in (tmp_path / "ca").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in ("root.key", "issuing.key"):
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "ca" / name).read_bytes()


def test_a_passphrase_by_reference_is_needed_again_and_kept_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("WORD", "correct horse battery staple")
    made = CertificateAuthority.open(tmp_path / "ca", now_s=NOW, passphrase="env:WORD")
    assert not (tmp_path / "ca" / "passphrase").exists()
    (tmp_path / "word").write_text("correct horse battery staple\n")
    opened = CertificateAuthority.open(tmp_path / "ca", now_s=NOW, passphrase=f"file:{tmp_path}/word")
    assert opened.fingerprint == made.fingerprint
    assert "--ca-passphrase" in refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW).message
    monkeypatch.setenv("WORD", "incorrect horse battery")
    error = refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW, passphrase="env:WORD")
    assert error.code == "HAL-718"
    assert "passphrase does not open it" in error.message


@pytest.mark.parametrize("reference", ["env:NOWHERE", "file:/nowhere", "the word itself", "env:SHORT"])
def test_a_passphrase_that_is_none_makes_no_authority(tmp_path, monkeypatch, reference):
    monkeypatch.setenv("SHORT", "short")
    error = refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW, passphrase=reference)
    assert error.code == "HAL-105"
    assert "the word itself" not in error.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["root.pem", "root.key", "issuing.pem", "issuing.key", "passphrase"])
def test_an_authority_with_a_missing_or_damaged_file_is_not_made_anew(tmp_path, name):
    CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    file = tmp_path / "ca" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW).code == "HAL-718"
    file.unlink()
    if name != "root.key":  # its owner may keep that elsewhere
        assert refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW).code == "HAL-718"


def test_an_authority_mixed_of_two_is_not_opened(tmp_path):
    for name in ("one", "two"):
        CertificateAuthority.open(tmp_path / name, now_s=NOW)
    for name in ("root.pem", "root.key", "passphrase"):
        shutil.copy(tmp_path / "two" / name, tmp_path / "one" / name)
    assert refused(CertificateAuthority.open, tmp_path / "one", now_s=NOW).code == "HAL-718"
    shutil.copy(tmp_path / "two" / "issuing.key", tmp_path / "one" / "issuing.key")
    assert "does not belong" in refused(CertificateAuthority.open, tmp_path / "one", now_s=NOW).message


def test_an_issuing_authority_is_renewed_before_its_end_and_no_device_notices(tmp_path):
    first = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    later_s = NOW + 4.5 * 365 * DAY
    renewed = CertificateAuthority.open(tmp_path / "ca", now_s=later_s)
    assert (renewed.fingerprint, renewed.nonce_key) == (first.fingerprint, first.nonce_key)
    cert, _ = device_files(tmp_path, renewed, now_s=later_s, valid_s=2 * 365 * DAY)
    assert read_certificate(cert.read_bytes()).not_after_s == pytest.approx(later_s + 2 * 365 * DAY, abs=1)
    old, _ = device_files(tmp_path, first)
    (tmp_path / "root.pem").write_text(renewed.root_pem)
    ask = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "root.pem", "-untrusted"]
    said = subprocess.run([*ask, tmp_path / "ca" / "issuing.pem", "-no_check_time", old], capture_output=True)
    assert said.returncode == 0
    assert sorted(path.name for path in (tmp_path / "ca").iterdir() if path.name.startswith(".")) == []


def test_a_root_key_that_is_kept_elsewhere_is_missed_once_the_issuing_authority_has_ended(tmp_path):
    first = CertificateAuthority.open(tmp_path / "ca", now_s=NOW)
    (tmp_path / "ca" / "root.key").rename(tmp_path / "safe")
    late_s = NOW + 4.5 * 365 * DAY
    assert CertificateAuthority.open(tmp_path / "ca", now_s=late_s).fingerprint == first.fingerprint
    error = refused(CertificateAuthority.open, tmp_path / "ca", now_s=NOW + 5.1 * 365 * DAY)
    assert error.code == "HAL-718"
    assert "put root.key back" in error.message
    (tmp_path / "safe").rename(tmp_path / "ca" / "root.key")
    assert CertificateAuthority.open(tmp_path / "ca", now_s=NOW + 5.1 * 365 * DAY).fingerprint


def test_processes_that_start_at_once_have_one_authority(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from halocline.adapters.certificates.authority import CertificateAuthority\n"
        f"print(CertificateAuthority.open(Path({str(tmp_path)!r}) / 'ca', now_s=time.time()).fingerprint)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    seen = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert len(seen) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["ca"]


# Requests


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["p256", "p384", "ed25519"],
)
def test_keys_of_three_kinds_are_taken_and_proved(authority, key):
    proven = authority.read_request(request_of(key))
    signed = (
        key.sign(b"this")
        if isinstance(key, ed25519.Ed25519PrivateKey)
        else key.sign(b"this", ec.ECDSA(hashes.SHA256()))
    )
    assert has_signed(proven.public_key, signed, b"this")
    assert not has_signed(proven.public_key, signed, b"that")
    assert not has_signed(proven.public_key, b"", b"this")
    assert authority.issue_device(proven.public_key, DEVICE, now_s=NOW, valid_s=DAY)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (rsa.generate_private_key(65537, 1024), "RSA"),
        (rsa.generate_private_key(65537, 2048), "RSA"),
        (ec.generate_private_key(ec.SECP192R1()), "secp192r1"),
        (ec.generate_private_key(ec.SECP256K1()), "secp256k1"),
    ],
    ids=["rsa1024", "rsa2048", "p192", "k1"],
)
def test_weak_and_other_keys_are_refused(key, said):
    error = refused(read_request, request_of(key))
    assert error.code == "HAL-712"
    assert said in error.message


def test_a_request_that_its_key_did_not_sign_is_refused():
    whole = x509.load_pem_x509_csr(make_request(make_key()).encode()).public_bytes(Encoding.DER)
    broken = bytearray(whole)
    broken[-1] ^= 1
    pem = ssl.DER_cert_to_PEM_cert(bytes(broken)).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    assert "not by its own key" in refused(read_request, pem).message


def test_a_request_and_a_certificate_of_a_version_that_is_none_are_refused(tmp_path, authority):
    request = x509.load_pem_x509_csr(make_request(make_key()).encode()).public_bytes(Encoding.DER)
    wrong = request.replace(b"\x02\x01\x00", b"\x02\x01\x3e", 1)
    pem = ssl.DER_cert_to_PEM_cert(wrong).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    assert refused(read_request, pem).code == "HAL-712"
    cert, _ = device_files(tmp_path, authority)
    der = x509.load_pem_x509_certificate(cert.read_bytes()).public_bytes(Encoding.DER)
    wrong = der.replace(b"\x02\x01\x02", b"\x02\x01\x3e", 1)
    assert refused(read_certificate, wrong).code == "HAL-715"


def test_a_request_far_too_large_is_refused_unread():
    assert "limit" in refused(read_request, "A" * 100_000).message


def test_what_a_request_asks_to_be_is_ignored(authority):
    key = ec.generate_private_key(ec.SECP256R1())
    csr = request_of(
        key,
        subject="dev-bbbbbbbbbbbbbbbb",
        ca=x509.BasicConstraints(ca=True, path_length=None),
        names=x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier("urn:halocline:device:dev-bbbbbbbbbbbbbbbb")]
        ),
        use=x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    proven = authority.read_request(csr)
    pem, kept = authority.issue_device(proven.public_key, DEVICE, now_s=NOW, valid_s=DAY)
    leaf = x509.load_pem_x509_certificate(pem.encode())
    assert read_certificate(pem.encode()) == kept
    assert kept.device == DEVICE
    assert "bbbb" not in leaf.subject.rfc4514_string()
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_devices_key_signs_what_the_hub_checks():
    key = make_key()
    assert has_signed(read_request(make_request(key)).public_key, sign(key, b"nonce"), b"nonce")
    assert refused(sign, b"no key", b"").code == "HAL-108"
    other = ed25519.Ed25519PrivateKey.generate()
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert "P-256" in refused(make_request, pem).message


# What is signed


def test_openssl_accepts_the_chain_for_a_client_and_not_for_a_server(tmp_path, authority):
    cert, _ = device_files(tmp_path, authority)
    (tmp_path / "root.pem").write_text(authority.root_pem)
    ask = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "root.pem", "-untrusted", cert]
    said = subprocess.run([*ask, "-purpose", "sslclient", cert], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    said = subprocess.run([*ask, "-purpose", "sslserver", cert], capture_output=True, text=True)
    assert said.returncode != 0


def test_a_device_cannot_sign_certificates(tmp_path, authority):
    cert, key = device_files(tmp_path, authority)
    whose = x509.load_pem_x509_certificate(cert.read_bytes())
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    forged = (
        x509.CertificateBuilder(issuer_name=whose.subject, subject_name=x509.Name([]))
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(whose.not_valid_before_utc)
        .not_valid_after(whose.not_valid_after_utc)
        .sign(private, hashes.SHA256())
    )
    (tmp_path / "forged.pem").write_bytes(forged.public_bytes(Encoding.PEM))
    (tmp_path / "root.pem").write_text(authority.root_pem)
    ask = ["openssl", "verify", "-CAfile", tmp_path / "root.pem", "-untrusted", cert, tmp_path / "forged.pem"]
    said = subprocess.run(ask, capture_output=True, text=True)
    assert said.returncode != 0
    assert "invalid CA certificate" in said.stdout + said.stderr


def test_a_certificate_begins_five_minutes_ago_and_ends_as_asked_but_with_its_issuer_at_last(authority):
    public_key = read_request(make_request(make_key())).public_key
    _, kept = authority.issue_device(public_key, DEVICE, now_s=NOW, valid_s=DAY)
    assert kept.not_before_s == pytest.approx(NOW - 300, abs=1)
    assert kept.not_after_s == pytest.approx(NOW + DAY, abs=1)
    _, long = authority.issue_device(public_key, DEVICE, now_s=NOW, valid_s=100 * 365 * DAY)
    assert long.not_after_s == pytest.approx(NOW + 5 * 365 * DAY, abs=1)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_of_a_device_is_refused(authority, data):
    assert refused(read_certificate, data).code == "HAL-715"


def test_a_servers_certificate_is_no_devices(authority):
    server = authority.issue_server(["localhost"], now_s=NOW)
    assert refused(read_certificate, server.chain.encode()).code == "HAL-715"
    assert refused(read_certificate, authority.root_pem.encode()).code == "HAL-715"


@pytest.mark.parametrize("name", ["", "a b", "https://hub", "*", "a" * 300])
def test_a_server_is_called_by_names_and_addresses_alone(authority, name):
    assert refused(authority.issue_server, [name], now_s=NOW).code == "HAL-102"


# Over TLS


class Handshake:
    """One TLS 1.3 handshake on loopback with client certificates demanded; a byte each way."""

    def __init__(self, folder: Path, authority: CertificateAuthority) -> None:
        identity = authority.issue_server(["localhost", "127.0.0.1", "hub.example"], now_s=NOW)
        (folder / "server.pem").write_text(identity.chain + identity.key)
        self.root = authority.root_pem
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.minimum_version = ssl.TLSVersion.TLSv1_3
        self.server.load_cert_chain(folder / "server.pem")
        self.server.load_verify_locations(cadata=authority.root_pem)
        self.server.verify_mode = ssl.CERT_REQUIRED

    def __call__(self, cert: tuple[Path, Path] | None, name: str = "127.0.0.1") -> bytes | None:
        """The client's certificate as the server saw it (DER), or None where it let nobody in."""
        client = ssl.create_default_context(cadata=self.root)
        if cert is not None:
            client.load_cert_chain(*cert)
        seen: list[bytes | None] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            thread = threading.Thread(target=self._serve, args=(listener, seen))
            thread.start()
            try:
                with socket.create_connection(listener.getsockname(), timeout=30) as raw:
                    with client.wrap_socket(raw, server_hostname=name) as connection:
                        connection.sendall(b"?")
                        connection.recv(1)
            except ssl.SSLCertVerificationError:
                seen.append(None)
            except OSError:
                pass
            finally:
                thread.join(30)
        return seen[0]

    def _serve(self, listener: socket.socket, seen: list[bytes | None]) -> None:
        try:
            with listener.accept()[0] as raw, self.server.wrap_socket(raw, server_side=True) as connection:
                seen.append(connection.getpeercert(binary_form=True))
                connection.recv(1)
                connection.sendall(b"!")
        except OSError:
            seen.append(None)


def test_a_device_passes_mutual_tls_and_its_certificate_says_who_it_is(tmp_path, authority):
    der = Handshake(tmp_path, authority)(device_files(tmp_path, authority))
    assert der is not None
    assert read_certificate(der).device == DEVICE


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "hub.example"])
def test_a_server_answers_to_each_of_its_names(tmp_path, authority, name):
    assert Handshake(tmp_path, authority)(device_files(tmp_path, authority), name)


def test_a_server_does_not_answer_to_another_name(tmp_path, authority):
    assert Handshake(tmp_path, authority)(device_files(tmp_path, authority), "other.example") is None


@pytest.mark.parametrize(
    "more", [{"now_s": NOW - 2 * DAY, "valid_s": DAY}, {"now_s": NOW + 2 * DAY}], ids=["ended", "not yet"]
)
def test_a_certificate_outside_its_time_does_not_pass(tmp_path, authority, more):
    assert Handshake(tmp_path, authority)(device_files(tmp_path, authority, **more)) is None


def test_no_certificate_another_authoritys_and_a_servers_own_do_not_pass(tmp_path, authority):
    shake = Handshake(tmp_path, authority)
    assert shake(None) is None
    other = CertificateAuthority.open(tmp_path / "other", now_s=NOW)
    assert shake(device_files(tmp_path, other)) is None
    assert shake((tmp_path / "server.pem", tmp_path / "server.pem")) is None


def test_the_root_is_in_the_servers_chain_so_that_a_fingerprint_finds_it(authority):
    chain = x509.load_pem_x509_certificates(authority.issue_server(["localhost"], now_s=NOW).chain.encode())
    assert f"sha256:{chain[-1].fingerprint(hashes.SHA256()).hex()}" == authority.fingerprint
