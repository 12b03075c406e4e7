"""Whatever is lost between a device and the hub, the device is never locked out; a revoked one always is."""

import hashlib
import ssl
import tempfile
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.request import make_key, make_request, read_request, sign
from halocline.errors import HaloclineError, Rejected, Untrusted
from halocline.fleet import CertificateState, DeviceState
from halocline.hub import joining, nonces
from halocline.testing.memory_store import MemoryStore
from halocline.wire.invite import Invitation, decode_invite, encode_invite

START_S = 1_800_000_000.0
DAY_S = 86_400.0
RULES = joining.JoinRules(grace_s=5 * DAY_S)
with tempfile.TemporaryDirectory() as _folder:
    AUTHORITY = CertificateAuthority.open(Path(_folder) / "ca", now_s=START_S)
KEY = make_key()
CSR = make_request(KEY)
_PEM, _ = AUTHORITY.issue_device(
    read_request(CSR).public_key, "dev-" + "a" * 16, now_s=START_S, valid_s=DAY_S
)
DER = ssl.PEM_cert_to_DER_cert(_PEM[: _PEM.index("-----END")] + "-----END CERTIFICATE-----\n")


class Killed(Exception):
    """The hub's process is gone."""


def check_code(error: HaloclineError, code: str) -> None:
    assert error.code == code


class DeviceAndHub(RuleBasedStateMachine):
    """One honest device, a hub that is killed at any write, answers that are lost, people who decide."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self.kill_in = 0
        self.chances = 0
        self.held = ""
        self.revoked = False
        self.store = MemoryStore(on_write=self.on_write)
        self.secret = ""

    def on_write(self, _: str) -> None:
        self.kill_in -= 1
        if self.kill_in == 0:
            raise Killed

    def chance(self) -> bytes:
        self.chances += 1
        return hashlib.sha256(str(self.chances).encode()).digest()[:16]

    def attempt(self, call, kill_in: int, lost: bool):
        """What the device gets of one step: None where the hub was killed or the answer lost."""
        self.kill_in = kill_in
        try:
            result = call()
        except Killed:
            result = None
        finally:
            self.kill_in = 0
        return None if lost else result

    def join(self) -> joining.Joined:
        return joining.join(
            self.store,
            AUTHORITY,
            csr=CSR,
            invite=self.secret,
            chance=self.chance(),
            now_s=self.now_s,
            rules=RULES,
        )

    def rejoin(self) -> joining.Joined:
        nonce = joining.nonce(AUTHORITY, chance=self.chance(), now_s=self.now_s)
        signature = sign(KEY, f"halocline rejoin 1\n{nonce}\n{CSR}".encode())
        return joining.rejoin(
            self.store,
            AUTHORITY,
            csr=CSR,
            nonce=nonce,
            signature=urlsafe_b64encode(signature).decode(),
            chance=self.chance(),
            now_s=self.now_s,
            rules=RULES,
        )

    def admit(self) -> object:
        peer = joining.Peer(read_certificate(self.held.encode()), self.now_s)
        return joining.admit(self.store, peer, self.now_s)

    def renew(self) -> joining.Joined:
        self.admit()
        device_id = read_certificate(self.held.encode()).device
        return joining.renew(
            self.store, AUTHORITY, device_id=device_id, csr=CSR, now_s=self.now_s, rules=RULES
        )

    def keep(self, joined: joining.Joined | None) -> None:
        if joined is not None and joined.certificate:
            self.held = joined.certificate

    def is_valid(self) -> bool:
        return bool(self.held) and read_certificate(self.held.encode()).not_after_s >= self.now_s

    def device(self):
        with self.store.look() as tx:
            return tx.device_by_key(read_request(CSR).key)

    @initialize(by_invite=st.booleans())
    def begin(self, by_invite: bool) -> None:
        if by_invite:
            joining.invite(self.store, secret=b"s" * 16, by="ann", now_s=self.now_s)
            self.secret = urlsafe_b64encode(b"s" * 16).decode()

    @precondition(lambda self: not self.held and not self.revoked)
    @rule(kill_in=st.integers(0, 6), lost=st.booleans())
    def device_joins(self, kill_in: int, lost: bool) -> None:
        try:
            self.keep(self.attempt(self.join, kill_in, lost))
        except Untrusted as error:
            # An hour after it was made the invite ends, for a device that has not joined by then.
            check_code(error, "HAL-713")
            assert self.device() is None or self.device().state is DeviceState.PENDING
            self.secret = ""

    @precondition(lambda self: self.is_valid() and not self.revoked)
    @rule(kill_in=st.integers(0, 6), lost=st.booleans(), renews=st.booleans())
    def device_asks(self, kill_in: int, lost: bool, renews: bool) -> None:
        if self.device().state is DeviceState.PENDING:
            return
        if renews:
            self.keep(self.attempt(self.renew, kill_in, lost))
        else:
            self.attempt(self.admit, kill_in, lost)

    @precondition(lambda self: self.held and not self.revoked)
    @rule(kill_in=st.integers(0, 6), lost=st.booleans())
    def device_comes_home(self, kill_in: int, lost: bool) -> None:
        self.keep(self.attempt(self.rejoin, kill_in, lost))

    @rule(hours=st.sampled_from([0.01, 1.0, 13.0, 30.0, 24 * 6.5]))
    def time_passes(self, hours: float) -> None:
        self.now_s += hours * 3600

    @rule(kill_in=st.integers(0, 3))
    def someone_accepts(self, kill_in: int) -> None:
        device = self.device()
        if device is not None and device.state is DeviceState.PENDING:
            self.attempt(
                lambda: joining.accept(self.store, device.id, actor="person:ann", now_s=self.now_s),
                kill_in,
                False,
            )

    @rule()
    def someone_revokes(self) -> None:
        if self.device() is not None:
            joining.revoke(self.store, self.device().id, actor="person:ann", now_s=self.now_s)
            self.revoked = True

    @invariant()
    def a_revoked_device_gets_nothing(self) -> None:
        if self.revoked:
            for call in (self.join, self.rejoin, *((self.admit,) if self.held else ())):
                with pytest.raises(Untrusted) as caught:
                    call()
                assert caught.value.code == "HAL-714"

    @invariant()
    def at_most_one_certificate_is_current(self) -> None:
        device = self.device()
        if device is not None:
            with self.store.look() as tx:
                states = [one.state for one in tx.certificates(device.id)]
            assert states.count(CertificateState.CURRENT) <= 1

    def teardown(self) -> None:
        """In the end, with nothing lost, the device is in, by what it has and one `accept`."""
        if self.revoked:
            return
        if not self.held:
            self.secret = ""
            joined = self.join()
        else:
            joined = self.rejoin()
        if joined.device.state is DeviceState.PENDING:
            joining.accept(self.store, joined.device.id, actor="person:ann", now_s=self.now_s)
            joined = self.rejoin() if self.held else self.join()
        self.keep(joined)
        assert self.admit()


TestDeviceAndHub = DeviceAndHub.TestCase
TestDeviceAndHub.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(
    host=st.from_regex(r"\A[a-z][a-z0-9.-]{0,60}\Z"),
    port=st.integers(1, 65535),
    digest=st.binary(min_size=32, max_size=32),
    secret=st.binary(min_size=16, max_size=16),
)
def test_every_invite_comes_back_whole(host, port, digest, secret):
    made = Invitation(url=f"https://{host}:{port}", fingerprint=f"sha256:{digest.hex()}", secret=secret)
    assert decode_invite(encode_invite(made)) == made


@given(text=st.one_of(st.text(), st.text().map("hc1.".__add__), st.from_regex(r"\Ahc1\.[A-Za-z0-9_=-]*\Z")))
def test_any_text_is_an_invite_or_is_refused_as_none(text):
    try:
        decode_invite(text)
    except Rejected as error:
        check_code(error, "HAL-711")


@given(data=st.binary(max_size=2000))
def test_any_bytes_are_a_certificate_request_or_are_refused_as_none(data):
    ends = [f"-----{which} CERTIFICATE REQUEST-----" for which in ("BEGIN", "END")]
    for text in (
        data.decode("latin-1"),
        "\n".join([ends[0], b64encode(data).decode(), ends[1]]),
    ):
        with pytest.raises(Rejected) as caught:
            read_request(text)
        assert caught.value.code == "HAL-712"


@given(data=st.binary(max_size=500), text=st.text(max_size=200))
def test_any_text_is_a_nonce_of_ours_or_is_refused_as_none(data, text):
    for nonce in (text, urlsafe_b64encode(data).decode()):
        with pytest.raises(Untrusted):
            nonces.check(b"key", nonce, now_s=START_S)


@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_damaged_request_never_passes_as_another_key(flips):
    body = bytearray(CSR.encode())
    for place, mask in flips:
        body[place % len(body)] ^= mask
    try:
        proven = read_request(body.decode("latin-1"))
    except Rejected as error:
        check_code(error, "HAL-712")
    else:
        assert proven == read_request(CSR)


@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_damaged_certificate_is_read_or_refused_as_none(flips):
    body = bytearray(DER)
    for place, mask in flips:
        body[place % len(body)] ^= mask
    try:
        read_certificate(bytes(body))
    except Untrusted as error:
        check_code(error, "HAL-715")
