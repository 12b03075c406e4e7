"""Ask a model or a function of this process under a deadline, as if it were elsewhere."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np

from halocline.ports import Answered, Failed, Feed, Function, Model, Verdict
from halocline.records import Array, ModelRef, ModelSpec, Reason

MAX_WAITING = 256
"""So many calls wait for a worker; beyond, calls are refused, so that memory is bounded."""
CLOSE_S = 1.0
"""Closing waits so long for a function that is running: a thread cannot be ended from outside."""
_CLOSED = Failed(reason=Reason.REFUSED, detail="closed")


class _Job:
    __slots__ = ("done", "expired", "feed", "on_late", "started_s", "told", "verdict")

    def __init__(self, feed: Feed, on_late: Callable[[Verdict], None] | None, *, waits: bool) -> None:
        self.feed = feed
        self.on_late = on_late
        self.started_s = time.monotonic()
        self.verdict: Verdict | None = None
        self.expired = not waits
        self.told = False
        self.done = threading.Lock()
        self.done.acquire()


class InProcessUpstream:
    """An Upstream over a function from a feed to outputs by name; up to `workers` threads, when needed."""

    def __init__(
        self,
        spec: ModelSpec,
        run: Callable[[Feed], Mapping[str, Array]],
        *,
        prepare: Callable[[Sequence[Any]], Feed] | None = None,
        workers: int = 4,
    ) -> None:
        self.prepare = prepare
        """Makes the model's feed of raw samples; None where its input has no description."""
        self._spec = spec
        self._run = run
        self._workers = workers
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._pending: set[_Job] = set()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives."""
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
        del call_id
        job = _Job(feed, on_late, waits=True)
        refusal = self._put(job)
        if refusal is not None:
            return refusal
        job.done.acquire(timeout=max(until_s - time.monotonic(), 0.0))
        with self._lock:
            if job.verdict is not None:
                return job.verdict
            job.expired = True
        elapsed_s = time.monotonic() - job.started_s
        return Failed(
            reason=Reason.DEADLINE, detail=f"no answer within {elapsed_s:.3f} s", elapsed_s=elapsed_s
        )

    def send(self, feed: Feed, *, call_id: str, on_verdict: Callable[[Verdict], None]) -> None:
        """Ask without waiting (see `Upstream.send`)."""
        del call_id
        refusal = self._put(_Job(feed, on_verdict, waits=False))
        if refusal is not None:
            on_verdict(refusal)

    def close(self) -> None:
        """Refuse what waits and end the threads; one inside a function that does not return is left to it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads, pending = list(self._threads), list(self._pending)
        for job in pending:
            self._settle(job, _CLOSED)
        for _ in threads:
            self._jobs.put(None)
        until_s = time.monotonic() + CLOSE_S
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(until_s - time.monotonic(), 0.0))

    def __repr__(self) -> str:
        return f"<InProcessUpstream {self._spec.ref}>"

    def _put(self, job: _Job) -> Failed | None:
        """Queue the job; else why not."""
        with self._lock:
            if self._closed:
                return _CLOSED
            if len(self._pending) >= self._workers + MAX_WAITING:
                return Failed(reason=Reason.REFUSED, detail=f"{len(self._pending)} calls are waiting already")
            self._pending.add(job)
            if len(self._pending) > len(self._threads) and len(self._threads) < self._workers:
                thread = threading.Thread(target=self._work, name="halocline in-process", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put(job)
        return None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.told:
                self._settle(job, self._verdict(job))

    def _settle(self, job: _Job, verdict: Verdict) -> None:
        """Tell the verdict, once: to the caller who waits, or as a late one."""
        with self._lock:
            self._pending.discard(job)
            if job.told:
                return
            job.told = True
            late = job.expired
            if not late:
                job.verdict = verdict
        if not late:
            job.done.release()
        elif job.on_late is not None:
            with contextlib.suppress(Exception):  # the receiver's fault; Tiered counts its own
                job.on_late(verdict)

    def _verdict(self, job: _Job) -> Verdict:
        try:
            outputs = self._run(job.feed)
        except BaseException as exc:  # sys.exit() in it must not take the worker along
            return Failed(
                reason=Reason.REFUSED,
                detail=f"{self._spec.ref} raised {type(exc).__name__}: {exc}",
                elapsed_s=time.monotonic() - job.started_s,
            )
        return Answered(outputs=outputs, model=self._spec.ref, elapsed_s=time.monotonic() - job.started_s)


def upstream_of_model(model: Model) -> InProcessUpstream:
    """A loaded model as an Upstream; one whose input is described prepares raw samples itself."""
    described = model.spec.input is not None

    def run(feed: Feed) -> dict[str, Array]:
        batch = _batch_of(feed)
        if described and not isinstance(batch, Mapping):
            batch = {model.spec.inputs[0].name: batch}  # a tensor that is ready is given by name
        outputs = model.run(model.conform_batch(batch))
        return {spec.name: output for spec, output in zip(model.spec.outputs, outputs, strict=True)}

    return InProcessUpstream(model.spec, run, prepare=model.conform_batch if described else None)


def upstream_of_function(function: Function) -> InProcessUpstream:
    """A function as an Upstream; its labels are taken to be the edge model's, in the same order."""

    def run(feed: Feed) -> dict[str, Array]:
        returned = function(_batch_of(feed))
        if isinstance(returned, Mapping):
            return {str(name): np.asarray(value) for name, value in returned.items()}
        return {"scores": np.asarray(returned)}

    name = getattr(function, "__name__", type(function).__name__)
    return InProcessUpstream(ModelSpec(ref=ModelRef(name), inputs=(), outputs=()), run)


def _batch_of(feed: Feed) -> Array | Feed:
    return next(iter(feed.values())) if len(feed) == 1 else feed
