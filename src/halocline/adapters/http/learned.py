"""What a server told of its model, and the requests and answers in the form that it takes."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from halocline.adapters.http.connection import Connection, LostError
from halocline.adapters.http.dial import fetch
from halocline.adapters.http.exchange import Exchange
from halocline.adapters.http.pool import Call
from halocline.adapters.http.target import Target
from halocline.errors import HaloclineError, Rejected
from halocline.ports import Answered, Failed, Feed, LateFeed, Verdict
from halocline.records import Array, ModelRef, ModelSpec, Reason, fits
from halocline.wire import oip

if TYPE_CHECKING:
    from halocline.adapters.http.stated import Stated
    from halocline.inputs.description import Input

MAX_METADATA_BYTES: Final = 1 << 20
MAX_ERROR_BYTES: Final = 64 * 1024
LONGEST_REST_S: Final = 60.0
"""A Retry-After beyond this is cut: a cloud cannot switch itself off for a day by one header."""


class Learned:
    """A server's model: the codec of the pool that asks it."""

    def __init__(self, target: Target, stated: "Stated", told: ModelSpec, *, binary: bool) -> None:
        self.spec = stated.over(told)
        """What the model takes and gives: what the user said goes before what the server says."""
        self.is_binary = binary
        """Whether tensors travel as they are, and not as JSON."""
        # Written in another form than they have here, the samples would not arrive as they are.
        self.takes_raw = binary and _is_in_files(told.input)
        """Whether the server prepares raw samples itself: the bytes of pictures or sounds may travel."""
        self._expected = tuple(
            _Expected(output.name, np.dtype(output.dtype), tuple(output.shape[1:])) for output in told.outputs
        )
        self._wanted = _wanted(told)
        self._head = target.request_line("POST", f"{target.path}/infer") + target.head

    def encode(self, calls: Sequence[Call]) -> Exchange:
        """One request for the rows of all the calls (see `Codec.encode`)."""
        feed = calls[0].feed
        if isinstance(feed, LateFeed):
            feed = _made(feed)
        elif len(calls) > 1:
            feed = {name: np.concatenate([call.feed[name] for call in calls]) for name in feed}
        if len(feed) == 1 and len(self.spec.inputs) == 1:  # the edge model may call it by another name
            feed = {self.spec.inputs[0].name: next(iter(feed.values()))}
        encoded = oip.encode_request(
            feed, request_id=calls[0].id, binary=self.is_binary, outputs=self._wanted
        )
        if encoded.header_bytes is None:
            form = f"Content-Type: application/json\r\nContent-Length: {encoded.total_bytes}\r\n\r\n"
        else:
            form = (
                f"Content-Type: application/octet-stream\r\n{oip.HEADER_LENGTH}: {encoded.header_bytes}\r\n"
                f"Content-Length: {encoded.total_bytes}\r\n\r\n"
            )
        limit = oip.max_response_bytes(self.spec, sum(call.rows for call in calls))
        return Exchange(b"".join((self._head, form.encode(), *encoded.parts)), limit)

    def decode(self, exchange: Exchange, calls: Sequence[Call]) -> list[Verdict]:
        """One verdict for each call (see `Codec.decode`)."""
        now_s = time.monotonic()
        if exchange.status != 200:
            return [_refused(exchange, now_s - call.started_s) for call in calls]
        rows = sum(call.rows for call in calls)
        try:
            stated = exchange.header(oip.HEADER_LENGTH.lower().encode())
            response = oip.decode_response(
                exchange.body, header_bytes=None if stated is None else int(stated), rows=rows
            )
        except (Rejected, ValueError) as exc:
            problem: str | None = exc.message if isinstance(exc, Rejected) else str(exc)
        else:
            problem = _misfit(response.outputs, self._expected)
        if problem is not None:
            return [
                Failed(reason=Reason.INVALID_ANSWER, detail=problem, elapsed_s=now_s - call.started_s)
                for call in calls
            ]
        ref = ModelRef(response.model_name or self.spec.ref.name, response.model_version)
        verdicts: list[Verdict] = []
        at = 0
        for call in calls:
            outputs = response.outputs
            if len(calls) > 1:
                outputs = {name: array[at : at + call.rows] for name, array in outputs.items()}
            verdicts.append(Answered(outputs=outputs, model=ref, elapsed_s=now_s - call.started_s))
            at += call.rows
        return verdicts


class Learning:
    """Reads a model's metadata on a connection, and goes on with another where a server closes the first."""

    def __init__(self, target: Target, stated: "Stated") -> None:
        self._target = target
        self._stated = stated
        self._binary: bool | None = None
        self.learned: Learned | None = None
        """What was learned; None until all of it is there."""

    def go_on(self, connection: Connection, until_s: float) -> bool:
        """Read what is not known yet; False where the connection can carry nothing more. Raises LostError."""
        target = self._target
        try:
            if self._binary is None:
                server = fetch(connection, target, f"{target.root}/v2", until_s, MAX_METADATA_BYTES)
                self._binary = (
                    server.status == 200
                    and oip.BINARY_EXTENSION in oip.decode_server_metadata(server.body).extensions
                )
                if not server.reusable:
                    return False
            model = fetch(connection, target, target.path, until_s, MAX_METADATA_BYTES)
            if model.status != 200:
                detail = f"status {model.status} for {target.path}: {_error_text(model)}"
                raise LostError(Reason.REFUSED, detail, model.status)
            told = oip.decode_model_metadata(model.body, input_stated=self._stated.input is not None)
        except HaloclineError as exc:
            raise LostError(Reason.INVALID_ANSWER, f"its metadata cannot be read: {exc.message}") from exc
        self.learned = Learned(target, self._stated, told, binary=self._binary)
        return model.reusable


def _is_in_files(told: "Input | None") -> bool:
    """Whether such samples come as files, which may travel as they are."""
    if told is None:
        return False
    from halocline.inputs.description import ImageInput, SoundInput

    return isinstance(told, ImageInput | SoundInput)


def _made(late: LateFeed) -> Feed:
    """The feed for the model that is known now. Raises Rejected (HAL-302) for whatever its making raises."""
    try:
        return late.made()
    except HaloclineError:
        raise
    except Exception as exc:
        raise Rejected("HAL-302", f"the sample cannot be prepared: {exc}") from exc


def _refused(exchange: Exchange, elapsed_s: float) -> Failed:
    retry_after_s = None
    if exchange.status in (429, 503):
        retry_after_s = rest_s(_text(exchange, b"retry-after"), _text(exchange, b"date"))
    return Failed(
        reason=Reason.REFUSED,
        detail=f"status {exchange.status}: {_error_text(exchange)}",
        elapsed_s=elapsed_s,
        retry_after_s=retry_after_s,
        status=exchange.status,
    )


def _text(exchange: Exchange, header: bytes) -> str:
    return (exchange.header(header) or b"").decode("latin-1").strip()


def rest_s(stated: str, answered: str) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date (RFC 9110, section 10.2.3).

    A date counts from that of the answer: the clock here may be years off.
    """
    if stated.isdecimal():
        return min(float(stated), LONGEST_REST_S)
    if not stated:
        return None
    from email.utils import parsedate_to_datetime

    try:
        now_s = parsedate_to_datetime(answered).timestamp() if answered else time.time()
        left_s = parsedate_to_datetime(stated).timestamp() - now_s
    except ValueError:
        return None
    return min(max(left_s, 0.0), LONGEST_REST_S)


def _error_text(exchange: Exchange) -> str:
    return oip.decode_error(exchange.body[:MAX_ERROR_BYTES])


class _Expected(msgspec.Struct, frozen=True):
    """An output as the metadata promises it, in the form that is quickest to compare."""

    name: str
    dtype: np.dtype[Any]
    tail: tuple[int, ...]
    """The shape behind the batch axis; -1 is any size."""


def _wanted(spec: ModelSpec) -> tuple[str, ...] | None:
    """The outputs to be asked for by name; None where all that are needed come without that.

    The confidence of two tiers that are served as one model is told on request.
    """
    if spec.output is None or not spec.output.confidence_output:
        return None
    return tuple(output.name for output in spec.outputs)


def _misfit(outputs: Mapping[str, Array], expected: Sequence[_Expected]) -> str | None:
    """How an answer differs from what the model's metadata promised; None where it does not.

    Its row count was checked when it was decoded.
    """
    for want in expected:
        array = outputs.get(want.name)
        if array is None:
            return f"the output {want.name!r} is missing"
        if array.dtype != want.dtype:
            return f"the output {want.name!r} is {array.dtype}, its metadata says {want.dtype}"
        tail = array.shape[1:]
        if tail != want.tail and not fits(tail, want.tail):
            return f"the output {want.name!r} has rows of shape {list(tail)}, expected {list(want.tail)}"
    return None
