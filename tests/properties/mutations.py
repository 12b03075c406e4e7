"""Inputs for a decoder: valid ones with something changed, the same ones each time for the same seed."""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+|\s+')
NASTY = [
    *(b"null", b"true", b"-1", b"0", b"1e999", b"-1e308", b"1e-320", b"9223372036854775808", b"0.1", b"NaN"),
    *(
        b"1" * 400,
        b"[]",
        b"{}",
        b'""',
        b'"a"',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\\n\\r"',
        b'"\xf0\x9f\x92\xa9"',
    ),
    *(b'"../../etc"', b'"' + b"A" * 3000 + b'"', b"[" * 50, b'{"a":' * 50, b"[" * 3000, b'{"a":' * 3000),
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\xff\xfe", b"\x00", b" " * 100),
    *(b'"version":99', b'"labels":{"a":"b"}', b'"site"', b'"device"', b'"generation"', b'"threshold"'),
]
CHUNKS = [b"", b"\x00", b"\xff", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"A" * 64, b"\r\n", b"=", b"-"]

Change = Callable[[Random, bytes], bytes]


def mutated(samples: Sequence[bytes], count: int, change: Change, seed: int = 2026) -> Iterator[bytes]:
    """So many of them; each has one to four changes."""
    chance = Random(seed)
    for _ in range(count):
        data = chance.choice(samples)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            data = change(chance, data)
        yield data


def in_json(chance: Random, data: bytes) -> bytes:
    """Change a token, or a byte: what is no JSON is an input as well."""
    if chance.random() < 0.2:
        return in_bytes(chance, data)
    tokens = _TOKENS.findall(data)
    if not tokens:
        return chance.choice(NASTY)
    at = chance.randrange(len(tokens))
    match chance.randrange(5):
        case 0 | 1:
            tokens[at] = chance.choice(NASTY)
        case 2:
            del tokens[at]
        case 3:
            tokens.insert(at, chance.choice(NASTY))
        case _:
            tokens[at] = chance.choice(tokens)
    return b"".join(tokens)


def in_bytes(chance: Random, data: bytes) -> bytes:
    """Change, insert, remove, repeat or cut off bytes."""
    if not data:
        return chance.randbytes(chance.randrange(40))
    at = chance.randrange(len(data))
    to = min(len(data), at + chance.choice((1, 2, 4, 16, 200)))
    match chance.randrange(6):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + chance.randbytes(to - at) + data[to:]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:to] + data[at:]
        case 4:
            return data[:at] + chance.choice(CHUNKS) + data[at:]
        case _:
            return data[:at]


def in_pem(chance: Random, data: bytes) -> bytes:
    """Change what stands within the armour, or the text."""
    if chance.random() < 0.25:
        return in_bytes(chance, data)
    head, _, rest = data.partition(b"\n")
    body, found, foot = rest.partition(b"-----END")
    try:
        der = base64.b64decode(body)
    except ValueError:
        return in_bytes(chance, data)
    lines = base64.encodebytes(in_bytes(chance, der))
    return head + b"\n" + lines + found + foot
