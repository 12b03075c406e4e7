"""A model behind an Open Inference Protocol server: metadata read once, calls under a deadline."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np

from halocline.adapters.http.connection import Connection, LostError
from halocline.adapters.http.dial import dial, fetch
from halocline.adapters.http.exchange import Exchange
from halocline.adapters.http.pool import Call, Pool
from halocline.adapters.http.target import Target, read_target
from halocline.decide.checks import check_number
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
from halocline.ports import Answered, Failed, Feed, LateFeed, Verdict
from halocline.records import Array, ModelRef, ModelSpec, Reason, ScoreKind, Task, fits
from halocline.wire import oip

if TYPE_CHECKING:
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input

MAX_METADATA_BYTES = 1 << 20
MAX_ERROR_BYTES = 64 * 1024
LONGEST_REST_S = 60.0
"""A Retry-After beyond this is cut: a cloud cannot switch itself off for a day by one header."""


def connect(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    labels: Sequence[str] | None = None,
    scores: str | None = None,
    score_output: str | None = None,
    input: "Input | None" = None,  # noqa: A002 - the word of the description
    task: "Task | str | Output | None" = None,
    max_connections: int = 4,
    max_batch: int = 32,
    connect_timeout_s: float = 2.0,
    late_s: float = 30.0,
    allow_plaintext: bool = False,
) -> "RemoteModel":
    """A model on any Open Inference Protocol v2 server, at `https://HOST:PORT/v2/models/NAME`.

    Returns at once: look-up, connect, TLS and the model's metadata are done in the background.
    `token` is a reference, `env:NAME` or `file:PATH`; `ca` a file of authorities to trust instead of the
    system's; `cert` the client certificate, a PEM file with its key or (certificate, key). `labels`,
    `scores` ("probabilities", "logits", "log_probabilities"), `score_output` and `input` (what its one
    input means: how a raw sample becomes its tensor) say what the server's metadata does not, and `task`,
    as in `load`, what a model does that is no classifier. Calls that wait while others are in flight travel
    together, up to `max_batch` rows; answers are awaited for `late_s` seconds after their caller's
    deadline. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured.

    Raises Misconfigured (HAL-101, HAL-102, HAL-104, HAL-105, HAL-106, HAL-402) for wrong arguments,
    never for what the server does.
    """
    check_number("max_connections", max_connections, 1, 1000, whole=True)
    check_number("max_batch", max_batch, 1, 100_000, whole=True)
    check_number("connect_timeout_s", connect_timeout_s, 0.001, 3600)
    check_number("late_s", late_s, 0, 86_400)
    if isinstance(labels, str):
        raise Misconfigured("HAL-203", f"labels must be a list of names, got the text {labels!r}")
    kinds = [kind.value for kind in ScoreKind]
    if scores is not None and scores not in kinds:
        raise Misconfigured("HAL-102", f"scores must be one of {', '.join(kinds)}, got {scores!r}")
    if input is not None:
        _check_input(input)
    target = read_target(url, headers=headers, token=token, ca=ca, cert=cert, allow_plaintext=allow_plaintext)
    stated = _Stated(
        labels=None if labels is None else tuple(labels),
        score_kind=None if scores is None else ScoreKind(scores),
        score_output=score_output,
        input=input,
        task=task if task is None else _task(task),
    )
    return RemoteModel(target, stated, max_connections, max_batch, connect_timeout_s, late_s)


def _task(given: "Task | str | Output") -> "tuple[Task, Output | None]":
    from halocline.decide.outputs import read_task  # a classifier's start need not load it

    return read_task(given)


def _check_input(given: object) -> None:
    from halocline.inputs.description import INPUTS  # a start without a description does without it

    kinds = tuple(INPUTS.values())
    if not isinstance(given, kinds):
        named = ", ".join(kind.__name__ for kind in kinds)
        raise Misconfigured("HAL-102", f"input must be one of {named}, got {given!r}")


def _is_in_files(told: "Input | None") -> bool:
    """Whether such samples come as files, which may travel as they are."""
    if told is None:
        return False
    from halocline.inputs.description import ImageInput, SoundInput

    return isinstance(told, ImageInput | SoundInput)


class _Stated(msgspec.Struct, frozen=True):
    """What the user said of the model; it goes before what the server says."""

    labels: tuple[str, ...] | None
    score_kind: ScoreKind | None
    score_output: str | None
    input: "Input | None"
    task: "tuple[Task, Output | None] | None"

    def over(self, spec: ModelSpec) -> ModelSpec:
        task, output = self.task or (spec.task, spec.output)
        return msgspec.structs.replace(
            spec,
            task=task,
            output=output or (spec.output if spec.task is task else None),
            labels=self.labels or spec.labels,
            score_kind=self.score_kind or spec.score_kind,
            score_output=self.score_output or spec.score_output,
            input=self.input or spec.input,
        )


class RemoteModel:
    """What `connect` gives: an Upstream, and a model that can be asked directly. Thread-safe."""

    def __init__(
        self,
        target: Target,
        stated: _Stated,
        max_connections: int,
        max_batch: int,
        connect_timeout_s: float,
        late_s: float,
    ) -> None:
        self._target = target
        self._stated = stated
        self._connect_timeout_s = connect_timeout_s
        self._late_s = late_s
        self._spec: ModelSpec | None = None
        self._expected: tuple[_Expected, ...] = ()
        self._wanted: tuple[str, ...] | None = None
        self._binary: bool | None = None
        self._takes_raw = False
        self._prepare: Callable[[Sequence[Any]], dict[str, Array]] | None = None
        self._known = threading.Event()
        self._infer_head = target.request_line("POST", f"{target.path}/infer") + target.head
        self._pool = Pool(
            f"halocline {target.model}",
            self,
            self._open,
            max_connections=max_connections,
            max_batch=max_batch,
            late_s=late_s,
        )
        self._pool.open_ahead()

    @property
    def url(self) -> str:
        """Where the model is."""
        return self._target.url

    @property
    def spec(self) -> ModelSpec | None:
        """What the model takes and gives; None until the server has told."""
        return self._spec

    @property
    def takes_raw(self) -> bool:
        """Whether the server prepares raw samples itself: the bytes of pictures or sounds may travel."""
        return self._takes_raw

    def prepare(self, samples: Sequence[Any]) -> dict[str, Array]:
        """The model's tensor of raw samples, as the description of its input says.

        Raises Misconfigured (HAL-102) where there is none, and Rejected for a sample that does not fit it.
        """
        if self._prepare is None:
            spec = self._spec
            if spec is None or spec.input is None:
                raise Misconfigured(
                    "HAL-102", f"{self.url} has not said what its input means. Try connect(…, input=…)"
                )
            from halocline.adapters.decoders import decoders  # for models that have a description
            from halocline.inputs.prepare import prepare_of

            tensor = spec.inputs[0]
            one = prepare_of(spec.input, decoders(), dtype=tensor.dtype)
            self._prepare = lambda samples: {tensor.name: np.stack([one(sample) for sample in samples])}
        return self._prepare(samples)

    @property
    def failure(self) -> Failed | None:
        """Why the last attempt to connect failed; None where it did not."""
        return self._pool.failure

    def wait_ready(self, timeout_s: float = 10.0) -> ModelSpec:
        """Wait until the model's metadata is known.

        Raises Transient (HAL-404, HAL-405), Rejected (HAL-403) or Untrusted (HAL-402) with the cause.
        """
        until_s = time.monotonic() + timeout_s
        while not self._known.wait(0.02):
            failure = self._pool.failure
            error = None if failure is None else error_of(failure, self.url)
            if error is not None and (not isinstance(error, Transient) or time.monotonic() >= until_s):
                raise error
            if time.monotonic() >= until_s:
                silent = Failed(reason=Reason.DEADLINE, detail=f"no answer within {timeout_s:g} s")
                raise error_of(silent, self.url)
            self._pool.open_ahead()
        assert self._spec is not None
        return self._spec

    def call(
        self,
        feed: Feed,
        *,
        call_id: str,
        until_s: float,
        on_late: Callable[[Verdict], None] | None = None,
    ) -> Verdict:
        """Ask, and return at `until_s` at the latest (see `Upstream.call`)."""
        return self._pool.call(_call(feed, call_id, until_s, on_late, background=False))

    def send(self, feed: Feed, *, call_id: str, on_verdict: Callable[[Verdict], None]) -> None:
        """Ask without waiting (see `Upstream.send`)."""
        until_s = time.monotonic() + self._late_s
        self._pool.send(_call(feed, call_id, until_s, on_verdict, background=True))

    def infer(self, feed: Feed, *, timeout_s: float = 30.0, call_id: str = "") -> Answered:
        """The model's outputs for a feed. Raises Transient, Rejected or Untrusted where there are none."""
        verdict = self.call(feed, call_id=call_id, until_s=time.monotonic() + timeout_s)
        if isinstance(verdict, Failed):
            raise error_of(verdict, self.url)
        return verdict

    def close(self) -> None:
        """End every call, thread and socket."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._spec is not None:
            form = "binary tensors" if self._binary else "JSON"
            return f"<RemoteModel {self._spec.ref} at {self.url}, {form}>"
        failure = self._pool.failure
        state = f"{failure.reason}: {failure.detail}" if failure is not None else "connecting"
        return f"<RemoteModel at {self.url}, {state}>"

    # What the pool asks of us

    def encode(self, calls: Sequence[Call]) -> Exchange:
        """One request for the rows of all the calls (see `Codec.encode`)."""
        feed = calls[0].feed
        if isinstance(feed, LateFeed):
            feed = _made(feed)
        elif len(calls) > 1:
            feed = {name: np.concatenate([call.feed[name] for call in calls]) for name in feed}
        assert self._spec is not None
        if len(feed) == 1 and len(self._spec.inputs) == 1:  # the edge model may call it by another name
            feed = {self._spec.inputs[0].name: next(iter(feed.values()))}
        encoded = oip.encode_request(
            feed, request_id=calls[0].id, binary=bool(self._binary), outputs=self._wanted
        )
        if encoded.header_bytes is None:
            form = f"Content-Type: application/json\r\nContent-Length: {encoded.total_bytes}\r\n\r\n"
        else:
            form = (
                f"Content-Type: application/octet-stream\r\n{oip.HEADER_LENGTH}: {encoded.header_bytes}\r\n"
                f"Content-Length: {encoded.total_bytes}\r\n\r\n"
            )
        limit = oip.max_response_bytes(self._spec, sum(call.rows for call in calls))
        return Exchange(b"".join((self._infer_head, form.encode(), *encoded.parts)), limit)

    def decode(self, exchange: Exchange, calls: Sequence[Call]) -> list[Verdict]:
        """One verdict for each call (see `Codec.decode`)."""
        now_s = time.monotonic()
        assert self._spec is not None
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
        ref = ModelRef(response.model_name or self._spec.ref.name, response.model_version)
        verdicts: list[Verdict] = []
        at = 0
        for call in calls:
            outputs = response.outputs
            if len(calls) > 1:
                outputs = {name: array[at : at + call.rows] for name, array in outputs.items()}
            verdicts.append(Answered(outputs=outputs, model=ref, elapsed_s=now_s - call.started_s))
            at += call.rows
        return verdicts

    def _open(self, opened: Callable[[socket.socket], None]) -> Connection:
        connection = dial(self._target, self._connect_timeout_s, opened)
        try:
            while not self._known.is_set():
                reusable = self._read_metadata(connection, time.monotonic() + self._connect_timeout_s)
                if not reusable:
                    connection.close()
                    connection = dial(self._target, self._connect_timeout_s, opened)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read_metadata(self, connection: Connection, until_s: float) -> bool:
        """Read what is not known yet; False where the connection can carry nothing more."""
        try:
            if self._binary is None:
                server = fetch(
                    connection, self._target, f"{self._target.root}/v2", until_s, MAX_METADATA_BYTES
                )
                self._binary = (
                    server.status == 200
                    and oip.BINARY_EXTENSION in oip.decode_server_metadata(server.body).extensions
                )
                if not server.reusable:
                    return False
            model = fetch(connection, self._target, self._target.path, until_s, MAX_METADATA_BYTES)
            if model.status != 200:
                detail = f"status {model.status} for {self._target.path}: {_error_text(model)}"
                raise LostError(Reason.REFUSED, detail, model.status)
            spec = oip.decode_model_metadata(model.body, input_stated=self._stated.input is not None)
        except HaloclineError as exc:
            raise LostError(Reason.INVALID_ANSWER, f"its metadata cannot be read: {exc.message}") from exc
        # Written in another form than they have here, the samples would not arrive as they are.
        self._takes_raw = bool(self._binary) and _is_in_files(spec.input)
        self._spec = self._stated.over(spec)
        self._expected = _expected(spec)
        self._wanted = _wanted(spec)
        self._known.set()
        return model.reusable


def error_of(failed: Failed, place: str) -> HaloclineError:
    """A failure as the error that a caller who needs an answer gets."""
    text = f"{place}: {failed.detail}"
    if failed.reason is Reason.UNTRUSTED:
        return Untrusted("HAL-402", text)
    if failed.reason is Reason.INVALID_ANSWER:
        return Transient("HAL-405", text)
    if failed.status is None:
        return Transient("HAL-404", text)
    is_ours = 400 <= failed.status < 500 and failed.status not in (408, 425, 429)
    return (Rejected if is_ours else Transient)("HAL-403", text)


def _made(late: LateFeed) -> Feed:
    """The feed for the model that is known now. Raises Rejected (HAL-302) for whatever its making raises."""
    try:
        return late.made()
    except HaloclineError:
        raise
    except Exception as exc:
        raise Rejected("HAL-302", f"the sample cannot be prepared: {exc}") from exc


def _call(
    feed: Feed,
    call_id: str,
    until_s: float,
    on_late: Callable[[Verdict], None] | None,
    *,
    background: bool,
) -> Call:
    rows = len(next(iter(feed.values())))
    return Call(feed, rows, call_id, until_s, on_late, background=background)


def _refused(exchange: Exchange, elapsed_s: float) -> Failed:
    retry_after_s = None
    if exchange.status in (429, 503):
        stated = (exchange.header(b"retry-after") or b"").decode("latin-1").strip()
        retry_after_s = _rest_s(stated)
    return Failed(
        reason=Reason.REFUSED,
        detail=f"status {exchange.status}: {_error_text(exchange)}",
        elapsed_s=elapsed_s,
        retry_after_s=retry_after_s,
        status=exchange.status,
    )


def _rest_s(stated: str) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date (RFC 9110, section 10.2.3)."""
    if stated.isdecimal():
        return min(float(stated), LONGEST_REST_S)
    if not stated:
        return None
    from email.utils import parsedate_to_datetime

    try:
        left_s = parsedate_to_datetime(stated).timestamp() - time.time()
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


def _expected(spec: ModelSpec) -> tuple[_Expected, ...]:
    return tuple(
        _Expected(output.name, np.dtype(output.dtype), tuple(output.shape[1:])) for output in spec.outputs
    )


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
