"""Which models are served: by name and version, each with its batcher and its numbers."""

import asyncio
import os
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import Final

from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed, Model
from halocline.records import Array, ModelRef, ModelSpec, TensorSpec
from halocline.serving.batcher import Batcher
from halocline.serving.columns import Answers, Column, tiered_outputs
from halocline.serving.late import LateVerdicts
from halocline.serving.meters import Meter
from halocline.serving.samples import check_rows, raw_samples_of
from halocline.serving.tiers import Elsewhere, ModelElsewhere, Pair, Tiers
from halocline.serving.version import version_key
from halocline.serving.warmup import RunCost, warm_up

_ELSEWHERE_S: Final = 0.05
"""What a call to another server is taken to last, for the Retry-After of who must wait."""


class ServedModel:
    """One version of a model, warmed up, behind its batcher; with `tiers`, the edge of two tiers.

    `elsewhere` is the model where it is on another server: it is asked past the batcher.
    """

    def __init__(
        self,
        model: Model,
        *,
        cost: RunCost,
        max_batch: int,
        max_delay_s: float,
        max_rows: int,
        executor: Executor,
        tiers: Tiers | None,
        waiters: Executor | None,
        preparers: Executor,
        elsewhere: ModelElsewhere | None = None,
        late: LateVerdicts | None = None,
    ) -> None:
        self.ref: ModelRef = model.spec.ref
        self.spec: ModelSpec = model.spec
        self.on_request: tuple[TensorSpec, ...] = ()
        """Outputs that are answered only where a request names them; they come behind the spec's."""
        self.tiers = tiers
        self.late = late
        """The verdicts that came too late, where there are two tiers and somebody may read them."""
        self._columns: tuple[Column, ...] = ()
        if tiers is not None:
            self.spec, own, on_request = tiered_outputs(model.spec)
            self.on_request = tuple(column.tensor for column in on_request)
            self._columns = (*own, *on_request)
        self._waiters = waiters
        self._elsewhere = elsewhere
        self._preparers = preparers
        self.cost = cost
        self.meter = Meter()
        self._conform = model.conform_batch
        self._conform_one = model.conform
        # A model whose input is described takes an array for a raw sample, and a mapping for ready tensors.
        bare = len(model.spec.inputs) == 1 and model.spec.input is None
        self._sole = model.spec.inputs[0] if bare else None
        self.max_rows = max_rows
        self.raw = raw_samples_of(model.spec)
        self.batcher = Batcher(
            model,
            cost=cost,
            max_batch=max_batch,
            max_delay_s=max_delay_s,
            meter=self.meter,
            executor=executor,
        )

    def infer(
        self, feed: Feed, rows: int, samples: list[bytes] | None, began_s: float, call_id: str = ""
    ) -> Awaitable[Sequence[Array]]:
        """The outputs for a feed: the spec's, then those of `on_request`.

        The feed is what `conform` gave, or what `prepare` made of `samples`; a deadline counts from
        `began_s`, on `time.perf_counter`. `call_id` is what the caller calls the request.
        """
        if self._elsewhere is not None:
            loop = asyncio.get_running_loop()
            return loop.run_in_executor(self._waiters, self._ask, self._elsewhere, call_id, feed, rows)
        if self.tiers is None:
            return self.batcher.submit(feed, rows)
        return self._both(self.tiers, feed, rows, samples, began_s)

    def _ask(self, model: ModelElsewhere, call_id: str, feed: Feed, rows: int) -> Sequence[Array]:
        started_s = time.perf_counter()
        outputs = model.run_as(call_id, feed)
        self.meter.ran(rows, time.perf_counter() - started_s)
        return outputs

    async def _both(
        self, tiers: Tiers, feed: Feed, rows: int, samples: list[bytes] | None, began_s: float
    ) -> Sequence[Array]:
        """The edge's run among those of others; then, in a thread that may wait, what goes up."""
        asked_s = time.perf_counter()
        outputs = await self.batcher.submit(feed, rows)
        edge_s = time.perf_counter() - asked_s
        replies = await asyncio.get_running_loop().run_in_executor(
            self._waiters,
            lambda: tiers.answer(feed, outputs, samples=samples, began_s=began_s, edge_s=edge_s),
        )
        self.meter.told(replies)
        return Answers(replies, self._columns)

    async def prepare(self, samples: list[bytes]) -> dict[str, Array]:
        """The feed of raw samples, made beside the event loop. Raises Rejected, naming the row."""
        return await asyncio.get_running_loop().run_in_executor(self._preparers, self._conform, samples)

    def conform(self, feed: Feed) -> tuple[dict[str, Array], int]:
        """A checked feed and its rows. Raises Rejected (HAL-301 to 303, HAL-504)."""
        if self._sole is not None and len(feed) == 1:
            # One row of the one input is the common case, and `conform` has a short way for it.
            array = feed.get(self._sole.name)
            if array is not None and array.ndim == len(self._sole.shape) and len(array) == 1:
                return self._conform_one(array), 1
        checked = self._conform(feed)
        rows = len(next(iter(checked.values())))
        check_rows(rows, self.max_rows)
        return checked, rows


class ModelTable:
    """The served models; a request without a version reaches the latest one.

    At most `max_waiting` requests of a tiered model, or of one elsewhere, wait at once, each in a thread.
    """

    def __init__(
        self,
        models: Iterable[Model | Pair | Elsewhere],
        *,
        max_batch: int = 64,
        max_delay_s: float = 0.0,
        max_rows: int = 4096,
        max_waiting: int = 256,
    ) -> None:
        self._executors: list[ThreadPoolExecutor] = []
        # Threads start at the first raw sample; decoding is the processor's work, more would not speed it up.
        preparers = self._threads(min(4, os.cpu_count() or 1), "halocline-prepare")
        self._served: dict[str, dict[str, ServedModel]] = {}
        for each in models:
            elsewhere = each.model if isinstance(each, Elsewhere) else None
            pair = each if isinstance(each, Pair) else None
            model = _bare(each)
            tiers = None if pair is None else pair.tiers
            executor = self._threads(1, f"halocline-{model.spec.ref}")
            # One for each request inside: none waits for a thread while others wait for their cloud.
            waits = elsewhere is not None or tiers is not None
            waiters = self._threads(max_waiting, f"halocline-{model.spec.ref}-up") if waits else None
            assumed = RunCost(_ELSEWHERE_S, _ELSEWHERE_S, max_batch)
            served = ServedModel(
                model,
                cost=warm_up(model, max_batch) if elsewhere is None else assumed,
                max_batch=max_batch,
                max_delay_s=max_delay_s,
                max_rows=max_rows,
                executor=executor,
                tiers=tiers,
                waiters=waiters,
                preparers=preparers,
                elsewhere=elsewhere,
                late=None if pair is None else pair.late,
            )
            versions = self._served.setdefault(served.ref.name, {})
            if served.ref.version in versions:
                raise Misconfigured(
                    "HAL-206", f"{served.ref} is there twice; give one another name or version"
                )
            versions[served.ref.version] = served
        if not self._served:
            raise Misconfigured("HAL-206", "no model was given to serve. Try: halocline serve MODEL.onnx")

    def __iter__(self) -> Iterator[ServedModel]:
        for versions in self._served.values():
            yield from versions.values()

    @property
    def names(self) -> list[str]:
        """The names of the models, sorted."""
        return sorted(self._served)

    def versions(self, name: str) -> list[str]:
        """The versions of a model, the latest first. Raises Rejected (HAL-502)."""
        return sorted(self._versions(name), key=version_key, reverse=True)

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """A model by name, in its latest version where none is named. Raises Rejected (HAL-502)."""
        versions = self._versions(name)
        served = versions.get(self.versions(name)[0] if version is None else version)
        if served is None:
            raise Rejected(
                "HAL-502",
                f"no version {str(version)[:80]!r} of {name} here; there is {_listed(self.versions(name))}",
            )
        return served

    def close(self) -> None:
        """End the worker threads; a run under way is not waited for, it cannot be stopped."""
        for executor in self._executors:
            executor.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> "ModelTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _threads(self, most: int, name: str) -> ThreadPoolExecutor:
        executor = ThreadPoolExecutor(most, thread_name_prefix=name)
        self._executors.append(executor)
        return executor

    def _versions(self, name: str) -> dict[str, ServedModel]:
        versions = self._served.get(name)
        if versions is None:
            raise Rejected("HAL-502", f"no model {name[:80]!r} here; there is {_listed(self.names)}")
        return versions


def _bare(each: Model | Pair | Elsewhere) -> Model:
    match each:
        case Pair():
            return each.edge
        case Elsewhere():
            return each.model
    return each


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
