"""Whatever bytes come over the channel, each decoder takes them or refuses with one of our errors.

10,000 inputs for each decoder, the same each time; `make fuzz` takes more.
"""

import os
import ssl
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import pytest
from mutations import Change, in_bytes, in_json, in_pem, mutated
from test_joining_properties import AUTHORITY, CSR, DER, KEY, START_S

from halocline.adapters.certificates.facts import read_certificate
from halocline.adapters.certificates.request import has_signed, read_public_key, read_request, sign
from halocline.adapters.http.door import Asked, raise_for
from halocline.adapters.http.exchange import Exchange, MalformedResponseError
from halocline.adapters.http.issuer import issuer_of
from halocline.adapters.http.people import _read as read_reply
from halocline.adapters.http.target import read_site
from halocline.catalogue import CATALOGUE
from halocline.decide.device_settings import refusal
from halocline.decide.renewal import poll_wait
from halocline.decide.trusted_time import TrustedTime, told
from halocline.errors import HaloclineError
from halocline.fleet import Device, DeviceState, Facts, Person, Role
from halocline.hub import joining, nonces, people, twins
from halocline.hub.labels import set_labels
from halocline.testing.memory_store import MemoryStore
from halocline.wire import channel
from halocline.wire import people as wire
from halocline.wire.channel import decode, encode
from halocline.wire.invite import Invitation, decode_invite, encode_invite

COUNT = int(os.environ.get("FUZZ_INPUTS", "10000"))
LONGEST_S = 1.0
"""Of this thread's own processor time, for one input."""
ID = "dev-" + "a" * 16
PUBLIC = read_request(CSR).public_key
PEM, _ = AUTHORITY.issue_device(PUBLIC, ID, now_s=START_S, valid_s=86_400.0)
FIRST_PEM = PEM[: PEM.index("-----END")] + "-----END CERTIFICATE-----\n"
NONCE = nonces.make(AUTHORITY.nonce_key, chance=bytes(16), now_s=START_S)
INVITE = encode_invite(
    Invitation(url="https://hub.example:8445", fingerprint=f"sha256:{'ab' * 32}", secret=bytes(16))
)
SETTINGS = {"models": {"edge": {"threshold": 0.5, "deadline_s": 0.3}}, "poll_s": 60.0}
REPORTED = {"generation": 1, "state": "refused", "reason": "no", "models": SETTINGS["models"], "boot": 3}
CONTEXT = ssl.create_default_context()
ADMIN = Person(name="admin", role=Role.ADMIN)


def fresh_store() -> MemoryStore:
    """A store with one device; what changes it is undone by taking a new one for each input."""
    store = MemoryStore()
    with store.change() as tx:
        tx.put_device(Device(id=ID, key=AUTHORITY.fingerprint, state=DeviceState.ENROLLED, created_s=START_S))
        tx.put_person(ADMIN)
    return store


def message(kind: type[msgspec.Struct], then: Callable[[msgspec.Struct], object] = lambda _: None):
    """Decode a message, and do with it what the hub does, as far as that needs no certificate."""
    return lambda data: then(decode(data, kind))


def report(asked):
    twins.report(fresh_store(), ID, asked.reported, now_s=START_S)


def desire(asked):
    common = {"actor": "person:ann", "reason": asked.reason, "now_s": START_S}
    twins.set_desired(fresh_store(), ID, asked.settings, unset=asked.unset, **common)


def label(asked):
    common = {"actor": "person:ann", "reason": asked.reason, "now_s": START_S}
    set_labels(fresh_store(), ID, asked.labels, asked.remove, **common)


def accept(asked):
    joining.accept(
        fresh_store(), ID, actor="person:ann", labels=asked.labels, reason=asked.reason, now_s=START_S
    )


def revoke(asked):
    joining.revoke(fresh_store(), ID, actor="person:ann", reason=asked.reason, now_s=START_S)


def invite(asked):
    joining.invite(
        fresh_store(),
        secret=bytes(16),
        by="ann",
        now_s=START_S,
        ttl_s=asked.ttl_s,
        uses=asked.uses,
        labels=asked.labels,
        serials=asked.serials,
    )


def add_person(asked):
    person = Person(name=asked.name, role=asked.role, site=asked.site)
    people.add_person(fresh_store(), person, by=ADMIN, reason=asked.reason, now_s=START_S)


def create_token(asked):
    people.create_token(
        fresh_store(),
        asked.person or "admin",
        asked.ttl_s,
        bytes(32),
        by=ADMIN,
        by_token=None,
        reason=asked.reason,
        now_s=START_S,
    )


def rejoin(asked):
    try:
        nonces.check(AUTHORITY.nonce_key, asked.nonce, now_s=START_S)
    finally:
        joining._unbase64(asked.signature)


def hear_twin(reply):
    refusal(reply.desired.settings, ["edge"])
    told(TrustedTime(), reply.now_s, certified=None, steady_s=1.0, clock_s=START_S)
    poll_wait(reply.desired.settings.poll_s or 60.0, share=0.5)


def hear_join(reply):
    read_site(reply.channel, headers=None, tls=CONTEXT)
    read_certificate(reply.certificate.encode())


def signature(data: bytes):
    has_signed(PUBLIC, data, b"message")


def refused(data: bytes):
    for status in (400, 401, 429, 503, 599):
        raise_for(Asked(status, {"retry-after": "1"}, data))


def http_answer(data: bytes):
    exchange = Exchange(b"", 1 << 20)
    try:
        exchange.feed(data)
        exchange.feed_eof()
    except MalformedResponseError:
        return
    assert exchange.headers is not None
    assert exchange.body is not None


def listed(data: bytes):
    read_reply(Asked(200, {}, data), wire.DevicesReply, "https://hub")


def logged(data: bytes):
    read_reply(Asked(200, {}, data), wire.AuditReply, "https://hub")


class Decoder(NamedTuple):
    """What is fuzzed: how it is called, what it takes for certain, and how that is changed."""

    call: Callable[[bytes], object]
    valid: Sequence[bytes]
    change: Change = in_json


def texts(call: Callable[[str], object]) -> Callable[[bytes], object]:
    """The decoder of a header or a line, as the server hands it on."""
    return lambda data: call(data.decode("latin-1"))


def told_as(*bodies: object) -> list[bytes]:
    return [msgspec.json.encode(body) for body in bodies]


JOINED = channel.JoinReply(device=ID, certificate=PEM, channel="https://hub.example:8443", now_s=START_S)
DEVICE = {"id": ID, "key": "sha256:ab", "state": "enrolled", "created_s": 1.0, "labels": {"type": "cam"}}
LINK = {
    "chain": "hub",
    "number": 1,
    "entry": {"at_s": 1.0, "actor": "hub", "action": "user.add", "details": {"a": [1]}},
    "previous": "sha256:00",
    "digest": "sha256:01",
}
DECODERS = {
    "device door: report": Decoder(
        message(channel.ReportRequest, report), told_as({"reported": REPORTED, "version": 1})
    ),
    "device door: renew": Decoder(message(channel.RenewRequest), told_as({"csr": CSR})),
    "device door: start": Decoder(texts(channel.decode_start), [b"7-3f9a1c2e"], in_bytes),
    "join door: join": Decoder(
        message(channel.JoinRequest, lambda asked: joining._bounded(asked.facts)),
        told_as({"csr": "x", "invite": "AAAA", "facts": {"serial": "S1", "machine": "m", "agent": "1"}}),
    ),
    "join door: rejoin": Decoder(
        message(channel.RejoinRequest, rejoin), told_as({"csr": "x", "nonce": NONCE, "signature": "AAAA"})
    ),
    "join door: nonce": Decoder(
        texts(lambda text: nonces.check(AUTHORITY.nonce_key, text, now_s=START_S)), [NONCE.encode()], in_bytes
    ),
    "people: invite": Decoder(
        message(wire.InviteRequest, invite),
        told_as({"ttl_s": 60.0, "uses": 3, "labels": {"type": "cam"}, "serials": ["A", "B"]}),
    ),
    "people: accept": Decoder(
        message(wire.AcceptRequest, accept), told_as({"labels": {"type": "cam"}, "reason": "r"})
    ),
    "people: label": Decoder(
        message(wire.LabelRequest, label), told_as({"labels": {"type": "cam"}, "remove": ["a"]})
    ),
    "people: set (twin)": Decoder(
        message(wire.SetRequest, desire), told_as({"settings": SETTINGS, "unset": [], "reason": "r"})
    ),
    "people: revoke": Decoder(message(wire.RevokeRequest, revoke), told_as({"reason": "lost"})),
    "people: person": Decoder(
        message(wire.PersonRequest, add_person),
        told_as({"name": "bob", "role": "installer", "site": "north", "reason": "r"}),
    ),
    "people: token": Decoder(
        message(wire.TokenRequest, create_token), told_as({"person": "admin", "ttl_s": 60.0, "reason": "r"})
    ),
    "people: reason": Decoder(message(wire.ReasonRequest), told_as({"reason": "r"})),
    "invite": Decoder(texts(decode_invite), [INVITE.encode()], in_bytes),
    "certificate request": Decoder(texts(read_request), [CSR.encode()], in_pem),
    "public key": Decoder(read_public_key, [PUBLIC], in_bytes),
    "signature": Decoder(signature, [sign(KEY, b"message")], in_bytes),
    "certificate (DER)": Decoder(read_certificate, [DER], in_bytes),
    "certificate (PEM)": Decoder(read_certificate, [FIRST_PEM.encode()], in_pem),
    "issuer of a certificate": Decoder(issuer_of, [DER], in_bytes),
    "device reads: twin": Decoder(
        message(channel.TwinReply, hear_twin),
        told_as({"desired": {"generation": 1, "settings": SETTINGS}, "now_s": START_S}),
    ),
    "device reads: certificate": Decoder(message(channel.JoinReply, hear_join), [encode(JOINED)]),
    "device reads: nonce": Decoder(message(channel.NonceReply), told_as({"nonce": NONCE, "now_s": START_S})),
    "device reads: refusal": Decoder(refused, told_as({"error": "no", "code": "HAL-714"})),
    "device reads: HTTP": Decoder(
        http_answer,
        [
            b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n\r\n{}',
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ],
        in_bytes,
    ),
    "people read: devices": Decoder(
        listed,
        told_as({"devices": [{"device": DEVICE, "twin": {"reported": REPORTED}, "silent_s": 1.0}]}),
    ),
    "people read: audit log": Decoder(logged, told_as({"entries": [LINK], "chains": ["hub"], "next": 1})),
}


def refusal_of(decoder: Decoder, data: bytes) -> HaloclineError | None:
    """What it says against the input; None where it takes it."""
    try:
        decoder.call(data)
    except HaloclineError as error:
        return error
    except Exception as error:
        raise AssertionError(f"let {error!r} out on {data[:2000]!r}") from error
    return None


# Serial numbers that are not positive come out of the changes; that they are warned of is not our matter.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("name", DECODERS)
def test_only_documented_errors_come_out_of_a_decoder_and_in_bounded_time(name):
    decoder = DECODERS[name]
    slowest_s, refusals = 0.0, 0
    for data in mutated(decoder.valid, COUNT, decoder.change):
        begun_s = time.thread_time()
        refused = refusal_of(decoder, data)
        slowest_s = max(slowest_s, time.thread_time() - begun_s)
        if refused is not None:
            refusals += 1
            assert refused.code in CATALOGUE, data
            assert "\n" not in refused.message, data
    assert slowest_s < LONGEST_S
    if decoder.call not in (issuer_of, http_answer, signature):
        assert refusals > COUNT // 20, "the changes hardly ever break anything: the test tests nothing"


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_changed_was_taken_before(name):
    decoder = DECODERS[name]
    for data in decoder.valid:
        if name == "join door: rejoin":
            continue  # as it is, its signature is none
        if name == "device reads: refusal":
            with pytest.raises(HaloclineError):
                decoder.call(data)
        else:
            decoder.call(data)


def test_a_nonce_and_an_invite_that_were_not_changed_are_taken():
    assert nonces.check(AUTHORITY.nonce_key, NONCE, now_s=START_S) > 0
    assert decode_invite(INVITE).secret == urlsafe_b64decode("A" * 22 + "==")
    assert joining._bounded(Facts(serial="S")).serial == "S"
