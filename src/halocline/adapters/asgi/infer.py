"""Answer inference requests over HTTP: limits, decode, check, run in a batch, encode, count."""

import time
import uuid
from typing import Any, Final
from urllib.parse import parse_qs

from halocline.adapters.asgi.access import AccessLog
from halocline.adapters.asgi.answers import (
    CONTENT_LENGTH,
    CONTENT_TYPE,
    JSON,
    Disconnected,
    Receive,
    Scope,
    Send,
    refusal,
    send_and_close,
    send_answer,
)
from halocline.adapters.asgi.body import BodyReader, Head, read_head
from halocline.adapters.asgi.protocol import WHOLE_ANSWER
from halocline.adapters.asgi.texts import as_texts
from halocline.errors import Rejected
from halocline.serving.admission import Admission
from halocline.serving.samples import ALIASES
from halocline.serving.table import ServedModel
from halocline.wire import oip

_OCTETS: Final = (CONTENT_TYPE, b"application/octet-stream")
_HEADER_LENGTH: Final = oip.HEADER_LENGTH.lower().encode()
_WHOLE_HEAD: Final = b"\r\n".join(
    (
        b"HTTP/1.1 200 OK",
        b"%b: %b" % _OCTETS,
        CONTENT_LENGTH + b": %d",
        _HEADER_LENGTH + b": %d",
        b"\r\n",
    )
)
_NO_EXTENSIONS: Final[dict[str, Any]] = {}
_JOIN_BELOW_BYTES: Final = 262_144
"""Up to this size one write of a copy costs less than several."""


class Inference:
    """Answers inference requests for one model version."""

    def __init__(
        self, served: ServedModel, admission: Admission, *, body_timeout_s: float, access: AccessLog | None
    ) -> None:
        self._served = served
        self._admission = admission
        self._bodies = BodyReader(admission, timeout_s=body_timeout_s)
        self._access = access
        names = [output.name for output in served.spec.outputs]
        self._all_json = [(name, place, False) for place, name in enumerate(names)]
        self._all_binary = [(name, place, True) for place, name in enumerate(names)]
        names.extend(output.name for output in served.on_request)
        self._places = {name: place for place, name in enumerate(names)}
        self._expected_s = served.cost.one_row_s

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        started_s = time.perf_counter()
        served = self._served
        request_id = ""
        body: bytes | memoryview | None = None
        inside = False
        prepared_bytes = 0
        try:
            head = read_head(scope)
            request_id = head.request_id
            if head.media_type:
                self._check_media(head.media_type)
            body = await self._bodies.read(receive, head)
            self._admission.enter(self._expected_s)
            inside = True
            began_s = time.perf_counter()
            request = self._request(head, body)
            request_id = request.id or request_id
            wanted = self._wanted(request, scope["query_string"])
            samples = None if served.raw is None else served.raw.of(request.feed, served.max_rows)
            if samples is None:
                feed, rows = served.conform(as_texts(request.feed))
            else:
                rows = len(samples)
                prepared_bytes = self._hold_prepared(rows)
                feed = await served.prepare(samples)
            outputs = await served.infer(feed, rows, samples, began_s, request_id)
            encoded = oip.encode_response(
                served.ref, request.id, [(name, outputs[place], binary) for name, place, binary in wanted]
            )
            self._count(request_id, 200, rows, len(body), encoded.total_bytes, started_s)
            await _send_encoded(scope, send, encoded)
        except Disconnected:
            return
        except Exception as error:
            request_id = request_id or str(uuid.uuid4())
            refused = refusal(error, request_id)
            self._count(request_id, refused.status, 0, len(body or b""), len(refused.body), started_s)
            if body is None:
                await send_and_close(receive, send, refused, request_id)
            else:
                await send_answer(send, refused, request_id)
        finally:
            if body is not None:
                self._bodies.release(body)
                self._admission.release(prepared_bytes)
            if inside:
                self._admission.leave()

    def _check_media(self, media_type: str) -> None:
        """Raise Rejected (HAL-512) for a body that the model does not take."""
        taken = () if self._served.raw is None else self._served.raw.media_types
        if ALIASES.get(media_type, media_type) not in taken:
            kinds = ", ".join(("application/json", "application/octet-stream", *taken))
            raise Rejected("HAL-512", f"Content-Type {media_type[:80]}: {self._served.ref} takes {kinds}")

    def _request(self, head: Head, body: bytes | memoryview) -> oip.InferRequest:
        """What is asked; a plain body is one row, answered in JSON."""
        if not head.media_type:
            try:
                return oip.decode_request(body, header_bytes=head.header_bytes)
            except Rejected as error:
                raise self._meant(body) or error from None
        assert self._served.raw is not None  # as _check_media says
        return oip.InferRequest(head.request_id, self._served.raw.feed(bytes(body)), None, False)

    def _meant(self, body: bytes | memoryview) -> Rejected | None:
        """The error for a file that came as a request; None for a body that is none.

        curl sends a form where it is not told otherwise.
        """
        raw = self._served.raw
        file = None if raw is None else raw.media_type_of(bytes(body[:16]))
        if file is None:
            return None
        return Rejected("HAL-501", f"the body is {file[0]}: send it with Content-Type: {file[1]}")

    def _hold_prepared(self, rows: int) -> int:
        """Take memory for what so many samples become; how much it is. Raises Rejected (HAL-504) and Full."""
        assert self._served.raw is not None
        tensor_bytes = self._served.raw.tensor_bytes(rows)
        self._admission.hold_prepared(tensor_bytes)
        return tensor_bytes

    def _wanted(self, request: oip.InferRequest, query: bytes) -> list[tuple[str, int, bool]]:
        """Which outputs are to be answered: name, place among the model's, and whether in binary.

        The body names them; where it does not, as a plain one cannot, `?outputs=NAME,NAME` may.
        """
        outputs = request.outputs
        if outputs is None and query:
            outputs = _outputs_in(query, request.binary_output)
        if outputs is None:
            return self._all_binary if request.binary_output else self._all_json
        try:
            return [(wanted.name, self._places[wanted.name], wanted.binary) for wanted in outputs]
        except KeyError as missing:
            has = ", ".join(self._places)
            name = str(missing.args[0])[:80]
            raise Rejected("HAL-501", f"{self._served.ref} has no output {name!r}; it has {has}") from None

    def _count(
        self, request_id: str, status: int, rows: int, body_bytes: int, answer_bytes: int, started_s: float
    ) -> None:
        """Count and log, before the answer is sent: who has the answer finds it in both."""
        elapsed_s = time.perf_counter() - started_s
        self._served.meter.answered(status, rows, body_bytes, answer_bytes, elapsed_s)
        if self._access is not None:
            self._access.write(request_id, self._served.ref, rows, status, time.time() - elapsed_s, elapsed_s)


def _outputs_in(query: bytes, binary: bool) -> tuple[oip.WantedOutput, ...] | None:
    """The outputs that a query string names, each once; None where it names none."""
    given = parse_qs(query.decode(errors="replace"), keep_blank_values=True).get("outputs")
    if given is None:
        return None
    names = dict.fromkeys(name.strip() for each in given for name in each.split(","))
    return tuple(oip.WantedOutput(name, binary) for name in names)


async def _send_encoded(scope: Scope, send: Send, encoded: oip.Encoded) -> None:
    if encoded.header_bytes is not None and encoded.total_bytes <= _JOIN_BELOW_BYTES:
        whole = scope.get("extensions", _NO_EXTENSIONS).get(WHOLE_ANSWER)
        head = _WHOLE_HEAD % (encoded.total_bytes, encoded.header_bytes)
        if whole is not None and whole(b"".join((head, *encoded.parts))):
            return
    length = (CONTENT_LENGTH, b"%d" % encoded.total_bytes)
    if encoded.header_bytes is None:
        headers = [JSON, length]
    else:
        headers = [_OCTETS, length, (_HEADER_LENGTH, b"%d" % encoded.header_bytes)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if encoded.total_bytes <= _JOIN_BELOW_BYTES:
        await send({"type": "http.response.body", "body": b"".join(encoded.parts)})
        return
    for part in encoded.parts:
        await send({"type": "http.response.body", "body": bytes(part), "more_body": True})
    await send({"type": "http.response.body"})
