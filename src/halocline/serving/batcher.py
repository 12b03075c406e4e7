"""Put requests that wait for the same model into one run.

Batching is natural: a run takes what is there when the model is free. A short run happens on the event
loop itself, and where larger batches gain little, they are cut to be that short; a longer one happens in a
worker thread, while the loop goes on gathering.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Final, TypeAlias

import numpy as np

from halocline.ports import Feed, Model
from halocline.records import Array
from halocline.serving.meters import Meter
from halocline.serving.warmup import RunCost

INLINE_BELOW_S: Final = 0.001
"""A run expected to take less stays on the loop: the hop to a thread and back costs 60 µs."""


_LITTLE: Final = 1.25

_Outputs: TypeAlias = Sequence[Array]


class _Job:
    __slots__ = ("feed", "future", "rows")

    def __init__(self, feed: Feed, rows: int, future: "asyncio.Future[_Outputs]") -> None:
        self.feed = feed
        self.rows = rows
        self.future = future


class Batcher:
    """Runs one model for many callers; used from one event loop."""

    def __init__(
        self,
        model: Model,
        *,
        cost: RunCost,
        max_batch: int,
        max_delay_s: float,
        meter: Meter,
        executor: Executor,
    ) -> None:
        self._run = model.run
        self._max_batch = min(max_batch, cost.max_rows)
        self._inline_rows = cost.rows_within(INLINE_BELOW_S)
        self._most_rows = self._max_batch
        if self._inline_rows and _gains_little(cost, self._inline_rows, self._max_batch):
            self._most_rows = min(self._inline_rows, self._max_batch)
        self._max_delay_s = max_delay_s
        self._meter = meter
        self._executor = executor
        self._waiting: deque[_Job] = deque()
        self._waiting_rows = 0
        self._due: asyncio.Handle | None = None
        self._busy = False
        self._one_shape = all(size >= 0 for tensor in model.spec.inputs for size in tensor.shape[1:])

    def __len__(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def submit(self, feed: Feed, rows: int) -> "asyncio.Future[_Outputs]":
        """The outputs for a feed that the model's `conform_batch` gave, once it has run."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Outputs] = loop.create_future()
        self._waiting.append(_Job(feed, rows, future))
        before = self._waiting_rows
        self._waiting_rows = before + rows
        if not self._busy and (self._due is None or before < self._max_batch <= before + rows):
            self._schedule(loop)
        return future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start soon where waiting gains nothing, else when the delay is over."""
        if self._due is not None:
            self._due.cancel()
        if self._max_delay_s <= 0.0 or self._waiting_rows >= self._max_batch:
            self._due = loop.call_soon(self._start)
        else:
            self._due = loop.call_later(self._max_delay_s, self._start)

    def _start(self) -> None:
        self._due = None
        if self._busy or not self._waiting:
            return
        jobs, rows = self._take()
        if rows <= self._inline_rows:
            self._settle(jobs, run_jobs(self._run, jobs, self._meter))
            if self._waiting:
                self._due = asyncio.get_running_loop().call_soon(self._start)
            return
        self._busy = True
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._executor, run_jobs, self._run, jobs, self._meter)
        running.add_done_callback(lambda done: self._done(jobs, done))

    def _done(self, jobs: list[_Job], running: "asyncio.Future[list[Any]]") -> None:
        self._busy = False
        if running.cancelled():
            for job in jobs:
                job.future.cancel()
            return
        self._settle(jobs, running.result())
        self._start()

    def _take(self) -> tuple[list[_Job], int]:
        """The jobs of the next run: in their order, of one shape, up to the batch limit, at least one."""
        waiting = self._waiting
        first = waiting.popleft()
        jobs = [first]
        rows = first.rows
        shape = None if self._one_shape else _row_shapes(first.feed)
        while waiting and rows + waiting[0].rows <= self._most_rows:
            if shape is not None and _row_shapes(waiting[0].feed) != shape:
                break
            job = waiting.popleft()
            jobs.append(job)
            rows += job.rows
        self._waiting_rows -= rows
        return jobs, rows

    @staticmethod
    def _settle(jobs: list[_Job], results: list[Any]) -> None:
        for job, result in zip(jobs, results, strict=True):
            future = job.future
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


def _gains_little(cost: RunCost, rows: int, max_rows: int) -> bool:
    """Whether a row costs about the same in a batch of `rows` as in one of `max_rows`."""
    return cost.expected_s(rows) / rows <= _LITTLE * cost.expected_s(max_rows) / max_rows


def run_jobs(run: Any, jobs: list[_Job], meter: Meter) -> list[Any]:
    """Each job's outputs, or the error of its run; a job that spoils the batch fails alone."""
    try:
        return _run_together(run, jobs, meter)
    except Exception as error:  # whatever the runtime raises is the answer to this job
        if len(jobs) == 1:
            return [error]
    results: list[Any] = []
    for job in jobs:
        results.extend(run_jobs(run, [job], meter))
    return results


def _run_together(run: Any, jobs: list[_Job], meter: Meter) -> list[_Outputs]:
    if len(jobs) == 1:
        started_s = time.perf_counter()
        outputs = run(jobs[0].feed)
        meter.ran(jobs[0].rows, time.perf_counter() - started_s)
        return [outputs]
    feeds = [job.feed for job in jobs]
    feed = {name: np.concatenate([each[name] for each in feeds]) for name in feeds[0]}
    started_s = time.perf_counter()
    outputs = run(feed)
    rows = sum(job.rows for job in jobs)
    meter.ran(rows, time.perf_counter() - started_s)
    if any(output.shape[0] != rows for output in outputs):
        raise ValueError(f"a run of {rows} rows gave outputs of other sizes")
    results: list[_Outputs] = []
    at = 0
    for job in jobs:
        end = at + job.rows
        results.append([output[at:end] for output in outputs])
        at = end
    return results


def _row_shapes(feed: Feed) -> tuple[tuple[int, ...], ...]:
    return tuple(array.shape[1:] for array in feed.values())
