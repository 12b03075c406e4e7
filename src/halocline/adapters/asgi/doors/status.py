"""Which HTTP status an error has at a door of the hub, and the answer that carries it."""

from typing import Final

from halocline.adapters.asgi.answers import JSON, LOG, Answer, Headers, Refused
from halocline.errors import HaloclineError, Rejected, Transient, Untrusted
from halocline.serving.admission import Full, NotServing
from halocline.wire import channel

_STATUS: Final = {
    "HAL-502": 404,
    "HAL-504": 413,
    "HAL-741": 404,
    "HAL-742": 413,
    "HAL-743": 429,
    "HAL-746": 409,
    "HAL-747": 409,
    "HAL-748": 404,
    "HAL-751": 401,
    "HAL-752": 403,
    "HAL-753": 404,
    "HAL-754": 409,
    "HAL-778": 409,
    "HAL-782": 409,
}
"""What a code says more exactly than the kind of its error does."""

RETRY_AFTER_S: Final = 1


class Throttled(Transient):
    """Too many requests of one address; `retry_after_s` is when the next one is taken."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__("HAL-743", message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type["Throttled"], tuple[str, int]]:  # type: ignore[override]  # other arguments
        return Throttled, (self.message, self.retry_after_s)


def status_of(error: Exception) -> int:
    """The status that tells whose fault an error is: 4xx the caller's, 5xx the hub's."""
    match error:
        case NotServing():
            return 503
        case Full():
            return 429
        case Rejected():
            return _STATUS.get(error.code, 400)
        case Untrusted():
            return _STATUS.get(error.code, 403)
        case Transient():
            return _STATUS.get(error.code, 503)
    return 500


def refusal(error: Exception) -> Answer:
    """The answer to a request that failed; the cause of a 500 goes to the log, not to the caller."""
    if isinstance(error, Refused):
        return error.answer
    status = status_of(error)
    if status == 500:
        LOG.error("a request at a door failed", exc_info=error)
        body = channel.Refusal(
            error="the hub failed on this request; the cause is in its log", code="HAL-749"
        )
        return Answer(500, channel.encode(body))
    assert isinstance(error, HaloclineError)  # as status_of says
    headers: Headers = [JSON]
    if status in (429, 503):
        headers.append((b"retry-after", b"%d" % getattr(error, "retry_after_s", RETRY_AFTER_S)))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(status, channel.encode(channel.Refusal(error=error.message, code=error.code)), headers)
