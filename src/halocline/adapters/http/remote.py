"""A model behind an Open Inference Protocol server: metadata read once, calls under a deadline."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from halocline.adapters.http.connection import Connection
from halocline.adapters.http.exchange import Exchange
from halocline.adapters.http.pool import Call, Pool
from halocline.adapters.http.stated import Stated
from halocline.adapters.http.target import Target, read_target, with_identity
from halocline.decide.checks import check_number
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
from halocline.ports import Answered, Failed, Feed, Verdict
from halocline.records import Array, ModelSpec, Reason, ScoreKind, Task

if TYPE_CHECKING:
    import socket

    from halocline.adapters.http.learned import Learned, Learning
    from halocline.decide.outputs import Output
    from halocline.inputs.description import Input


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
    passed_s: Callable[[], float] | None = None,
) -> "RemoteModel":
    """A model on any Open Inference Protocol v2 server, at `https://HOST:PORT/v2/models/NAME`.

    Returns at once: look-up, connect, TLS and the model's metadata are done in the background.
    `token` is a reference, `env:NAME` or `file:PATH`; `ca` a file of authorities to trust instead of the
    system's; `cert` the client certificate, a PEM file with its key or (certificate, key). `labels`,
    `scores` ("probabilities", "logits", "log_probabilities"), `score_output` and `input` (what its one
    input means: how a raw sample becomes its tensor) say what the server's metadata does not, and `task`,
    as in `load`, what a model does that is no classifier. Calls that wait while others are in flight travel
    together, up to `max_batch` rows; answers are awaited for `late_s` seconds after their caller's
    deadline. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured. `passed_s`, for a device whose clock
    may be years off, gives the time (seconds since 1970) that has surely passed: by it alone is told whether
    the server's certificate has ended.

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
    target = read_target(
        url,
        headers=headers,
        token=token,
        ca=ca,
        cert=cert,
        allow_plaintext=allow_plaintext,
        passed_s=passed_s,
    )
    stated = Stated(
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


class RemoteModel:
    """What `connect` gives: an Upstream, and a model that can be asked directly. Thread-safe."""

    def __init__(
        self,
        target: Target,
        stated: Stated,
        max_connections: int,
        max_batch: int,
        connect_timeout_s: float,
        late_s: float,
    ) -> None:
        self._target = target
        self._stated = stated
        self._connect_timeout_s = connect_timeout_s
        self._late_s = late_s
        self._learning: Learning | None = None
        self._learned: Learned | None = None
        self._prepare: Callable[[Sequence[Any]], dict[str, Array]] | None = None
        self._known = threading.Event()
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
        return None if self._learned is None else self._learned.spec

    @property
    def takes_raw(self) -> bool:
        """Whether the server prepares raw samples itself: the bytes of pictures or sounds may travel."""
        return self._learned is not None and self._learned.takes_raw

    def prepare(self, samples: Sequence[Any]) -> dict[str, Array]:
        """The model's tensor of raw samples, as the description of its input says.

        Raises Misconfigured (HAL-102) where there is none, and Rejected for a sample that does not fit it.
        """
        if self._prepare is None:
            spec = self.spec
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
        assert self._learned is not None
        return self._learned.spec

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

    def renew(
        self,
        cert: str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]],
        *,
        ca: str | os.PathLike[str] | None,
    ) -> None:
        """Show this certificate from now on, and trust this authority, both as for `connect`.

        Calls under way end where they are; every later one travels on a connection opened anew. Raises
        Misconfigured (HAL-104, HAL-108) where they cannot be used; all stays as it was then.
        """
        self._target = with_identity(self._target, ca, cert)
        self._pool.reopen()

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
        if self._learned is not None:
            form = "binary tensors" if self._learned.is_binary else "JSON"
            return f"<RemoteModel {self._learned.spec.ref} at {self.url}, {form}>"
        failure = self._pool.failure
        state = f"{failure.reason}: {failure.detail}" if failure is not None else "connecting"
        return f"<RemoteModel at {self.url}, {state}>"

    # What the pool asks of us

    def encode(self, calls: Sequence[Call]) -> Exchange:
        """One request for the rows of all the calls (see `Codec.encode`)."""
        assert self._learned is not None
        return self._learned.encode(calls)

    def decode(self, exchange: Exchange, calls: Sequence[Call]) -> list[Verdict]:
        """One verdict for each call (see `Codec.decode`)."""
        assert self._learned is not None
        return self._learned.decode(exchange, calls)

    def _open(self, opened: "Callable[[socket.socket], None]") -> Connection:
        from halocline.adapters.http.dial import dial  # sockets take 2 ms to load: behind the caller's back

        connection = dial(self._target, self._connect_timeout_s, opened)
        try:
            while not self._known.is_set():
                if not self._learn(connection):
                    connection.close()
                    connection = dial(self._target, self._connect_timeout_s, opened)
        except BaseException:
            connection.close()
            raise
        return connection

    def _learn(self, connection: Connection) -> bool:
        """Read what is not known yet; False where the connection can carry nothing more."""
        if self._learning is None:  # kept, since a server may close after each answer
            from halocline.adapters.http.learned import Learning  # an edge answer is not to wait for it

            self._learning = Learning(self._target, self._stated)
        reusable = self._learning.go_on(connection, time.monotonic() + self._connect_timeout_s)
        if self._learning.learned is not None:
            self._learned = self._learning.learned
            self._known.set()
        return reusable


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
