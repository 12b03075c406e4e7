"""Serve a model that is on another server: calls have a deadline, and are not made while it is away."""

import math
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from halocline.adapters.http.remote import RemoteModel, connect, error_of
from halocline.decide.breaker import Breaker, BreakerLimits, admit, failed, succeeded
from halocline.errors import HaloclineError, Rejected, Transient
from halocline.ports import Answered, Failed, Feed
from halocline.records import Array, ModelRef, ModelSpec, Reason
from halocline.serving.admission import MAX_RETRY_AFTER_S, NotServing
from halocline.serving.layout import FIRST_VERSION

CONNECTIONS: Final = 8


class CloudAway(NotServing):
    """The server that holds the model gave no answer; `retry_after_s` is when to try again (HAL-771)."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message, retry_after_s)
        self.code = "HAL-771"

    def __reduce__(self) -> tuple[type["CloudAway"], tuple[str, int]]:  # type: ignore[override]  # other arguments
        return CloudAway, (self.message, self.retry_after_s)


class ServedRemote:
    """A Model over `connect`, under a name of ours. Thread-safe; close it at the end.

    Raises Transient (HAL-770) where the server does not tell within `wait_s` what the model takes.
    """

    def __init__(self, url: str, name: str, *, deadline_s: float, wait_s: float) -> None:
        self._remote = connect(url, max_connections=CONNECTIONS)
        self._deadline_s = deadline_s
        self._limits = BreakerLimits()
        self._breaker = Breaker()
        self._lock = threading.Lock()
        try:
            self._spec = _served(self._remote, name, wait_s)
        except BaseException:
            self._remote.close()
            raise
        from halocline.adapters.onnxruntime.inputs import intake_of  # what `connect` alone does without

        self._intake = intake_of(self._spec, allow_nan=False)

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives: tensors alone, a description stays with its server."""
        return self._spec

    def conform(self, sample: Any) -> dict[str, Array]:
        """See `Model`."""
        return self._intake.one(sample)

    def conform_batch(self, batch: Any) -> dict[str, Array]:
        """See `Model`."""
        return self._intake.many(batch)

    def run(self, feed: Feed) -> Sequence[Array]:
        """See `Model`. Raises as `run_as`."""
        return self.run_as("", feed)

    def run_as(self, call_id: str, feed: Feed) -> Sequence[Array]:
        """See `ModelElsewhere`. Raises CloudAway (HAL-771), Rejected (HAL-772: the server refused it)."""
        self._admit()
        verdict = self._remote.call(feed, call_id=call_id, until_s=time.monotonic() + self._deadline_s)
        self._learn(verdict)
        if isinstance(verdict, Answered):
            return [verdict.outputs[output.name] for output in self._spec.outputs]
        error = error_of(verdict, self._remote.url)
        if isinstance(error, Rejected):
            raise Rejected("HAL-772", f"the server of {self._spec.ref} refused: {verdict.detail}")
        raise CloudAway(
            f"the server of {self._spec.ref} gave no answer: {verdict.detail}",
            _seconds(verdict.retry_after_s or self._limits.probe_interval_s),
        )

    def close(self) -> None:
        """End every call, thread and socket."""
        self._remote.close()

    def _admit(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            hold, self._breaker = admit(self._breaker, self._limits, now_s)
            rest_s = self._breaker.hold_until_s - now_s
        if hold is not None:
            why = "asked for rest" if hold is Reason.REFUSED else "failed several times in a row"
            rest = f"it is tried again in {rest_s:.1f} s"
            raise CloudAway(f"the server of {self._spec.ref} {why}; {rest}", _seconds(rest_s))

    def _learn(self, verdict: Answered | Failed) -> None:
        """A request that the server refused says nothing against the server."""
        is_answer = isinstance(verdict, Answered) or isinstance(error_of(verdict, ""), Rejected)
        with self._lock:
            if is_answer:
                self._breaker = succeeded(self._breaker, self._limits)
            else:
                assert isinstance(verdict, Failed)
                now_s = time.monotonic()
                self._breaker = failed(self._breaker, self._limits, now_s, verdict.retry_after_s)


def _served(remote: RemoteModel, name: str, wait_s: float) -> ModelSpec:
    try:
        spec = remote.wait_ready(wait_s)
    except HaloclineError as error:
        raise Transient(
            "HAL-770",
            f"the cloud model {name} cannot be served: {error.message}. Start its server, or correct its URL",
        ) from error
    ref = ModelRef(name, spec.ref.version or FIRST_VERSION)
    return msgspec.structs.replace(spec, ref=ref, input=None)


def _seconds(rest_s: float) -> int:
    return min(max(math.ceil(rest_s), 1), MAX_RETRY_AFTER_S)
