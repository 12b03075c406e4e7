"""Read who issued a certificate that nothing vouches for: only to tell people what was seen."""

_SEQUENCE = 0x30
_NAMED = {b"\x55\x04\x0a": "organization", b"\x55\x04\x03": "name"}
"""Object ids of RFC 5280, appendix A: organizationName and commonName."""


def issuer_of(certificate: bytes) -> str:
    """Organization and name of the issuer in a DER certificate; "" where there is none to be read."""
    try:
        return _issuer_of(certificate)
    except IndexError:
        return ""


def _issuer_of(certificate: bytes) -> str:
    _, whole, _ = _element(certificate)
    _, signed, _ = _element(whole)
    tag, _, rest = _element(signed)
    if tag == 0xA0:  # the version; the serial number follows
        _, _, rest = _element(rest)
    _, _, rest = _element(rest)  # the algorithm
    tag, issuer, _ = _element(rest)
    found: dict[str, str] = {}
    while tag == _SEQUENCE and issuer:
        _, group, issuer = _element(issuer)
        _, pair, _ = _element(group)
        _, kind, rest = _element(pair)
        _, value, _ = _element(rest)
        if kind in _NAMED:
            found[_NAMED[kind]] = value.decode("utf-8", "replace")
    text = ", ".join(found[name] for name in _NAMED.values() if name in found)
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows. Raises IndexError where the data ends before."""
    tag, length, start = data[0], data[1], 2
    if length >= 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if start + length > len(data):
        raise IndexError
    return tag, data[start : start + length], data[start + length :]
