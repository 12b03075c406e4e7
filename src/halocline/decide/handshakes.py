"""Decide why a TLS handshake was refused, in few words, so that refusals can be counted by them."""

from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why a handshake was refused."""

    NO_CERTIFICATE = "no_certificate"
    ANOTHER_AUTHORITY = "another_authority"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NO_CLIENT_CERTIFICATE = "no_client_certificate"
    OLD_TLS = "old_tls"
    NO_TLS = "no_tls"
    CLIENT_GAVE_UP = "client_gave_up"
    OTHER = "other"

    @property
    def said(self) -> str:
        """What happened, and what to do about it, for people."""
        return _SAID[self]


_SAID: Final = {
    Cause.NO_CERTIFICATE: "no certificate was shown. Join first: halocline agent join INVITE",
    Cause.ANOTHER_AUTHORITY: "the certificate is not of this hub's authority. Join this hub anew",
    Cause.EXPIRED: "the certificate has expired. A device comes home over the joining door",
    Cause.NOT_YET_VALID: "the certificate is not valid yet. Compare the clocks of hub and device",
    Cause.NO_CLIENT_CERTIFICATE: "the certificate is not one for clients: a server's own opens no door",
    Cause.OLD_TLS: "the client speaks no TLS 1.3, and the doors speak nothing older",
    Cause.NO_TLS: "what came was no TLS: plaintext, or no client of this hub at all",
    Cause.CLIENT_GAVE_UP: "the client did not accept the hub's certificate: it knows another authority, or "
    "another name",
    Cause.OTHER: "the TLS handshake failed; details has what OpenSSL said",
}

_BY_VERIFY_CODE: Final = {
    9: Cause.NOT_YET_VALID,
    10: Cause.EXPIRED,
    26: Cause.NO_CLIENT_CERTIFICATE,
}
"""OpenSSL's X509_V_ERR_…; every other one says that no trusted chain leads to the certificate."""

_BY_REASON: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Cause.NO_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": Cause.OLD_TLS,
    "VERSION_TOO_LOW": Cause.OLD_TLS,
    "HTTP_REQUEST": Cause.NO_TLS,
    "HTTPS_PROXY_REQUEST": Cause.NO_TLS,
    "WRONG_VERSION_NUMBER": Cause.NO_TLS,
    "UNKNOWN_PROTOCOL": Cause.NO_TLS,
    "BAD_RECORD_TYPE": Cause.NO_TLS,
    "PACKET_LENGTH_TOO_LONG": Cause.NO_TLS,
    "RECORD_LAYER_FAILURE": Cause.NO_TLS,
}


def cause_of(reason: str, verify_code: int | None) -> Cause:
    """The cause, by OpenSSL's reason for the failure and, where a certificate failed, its verify code."""
    if verify_code:
        return _BY_VERIFY_CODE.get(verify_code, Cause.ANOTHER_AUTHORITY)
    if "ALERT" in reason:  # TLSV1_ALERT_UNKNOWN_CA and its kin: the other side said so
        return Cause.CLIENT_GAVE_UP
    return _BY_REASON.get(reason, Cause.OTHER)
