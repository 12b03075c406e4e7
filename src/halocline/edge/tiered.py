"""Tiered inference: the edge model answers when it is sure; the cloud answers the rest, if it is in time."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import msgspec
import numpy as np

from halocline.decide.allowance import EscalationBudget
from halocline.decide.breaker import BreakerLimits
from halocline.decide.gate import Policy, Score, check_threshold, gate, thresholds_of
from halocline.edge.corrections import Corrections
from halocline.edge.escalation import Escalation
from halocline.edge.ids import new_id
from halocline.edge.inprocess import Function, upstream_of_function, upstream_of_model
from halocline.edge.reading import CloudReader, CloudRows, ConfidenceFn, EdgeReader, Rows
from halocline.errors import Misconfigured, Rejected, Transient
from halocline.ports import CorrectionSink, Failed, Feed, Model, OutcomeSink, Upstream
from halocline.records import (
    Array,
    Correction,
    Mode,
    ModelRef,
    Outcome,
    Prediction,
    Reason,
    Reply,
    Request,
    Tier,
)

ASYNC_WORKERS = 8


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What a tiered model has done and how its cloud does; asking costs no call.

    `cloud` is the cloud model, None while it is not known; `failure` says why the last escalation
    failed, None where the last one was answered; `link_s` is what an escalation takes at present.
    """

    mode: Mode
    threshold: float
    threshold_owner: str
    replies: Mapping[str, int]
    corrections: int
    corrections_dropped: int
    sink_errors: int
    breaker: str
    cloud: ModelRef | None
    failure: str | None
    link_s: float | None


class Tiered:
    """A small model here, a larger one elsewhere, and one answer in time. Thread-safe.

    `cloud` is anything that predicts: what `connect` or `load` gives, or a function from a batch to
    class probabilities. A row stays at the edge when its confidence is at least `threshold`
    (`class_thresholds` by label or class index); otherwise it goes up, and if no answer has come
    `deadline_s` seconds after the call began, the edge answer is returned, marked degraded, and a late
    verdict becomes a Correction with the same id: passed to `on_correction`, or iterated with
    `corrections()`. `budget` caps the escalations; `breaker=None` switches the breaker off.
    `to_cloud` turns the edge's batch into the cloud's; `label_map` gives the edge label of each cloud
    label that is named otherwise; `confidence` reads one confidence a row from any outputs.
    `outcomes` receives what was decided of each request. `policy` sets threshold, score, temperature,
    class thresholds and budget in one value. Closing it closes the cloud it was given.

    Raises Misconfigured: HAL-101 (a number out of range), HAL-202 (no telling what the edge model's
    scores are), HAL-204 (the tiers' labels do not match).
    """

    def __init__(
        self,
        edge: Model,
        cloud: Upstream | Model | Function,
        *,
        threshold: float | None = None,
        deadline_s: float = 0.3,
        mode: Mode | str = Mode.PREFER_EDGE,
        score: Score | str = Score.MAX_SOFTMAX,
        temperature: float = 1.0,
        class_thresholds: Mapping[int | str, float] | None = None,
        budget: EscalationBudget | None = None,
        policy: Policy | None = None,
        breaker: BreakerLimits | None = BreakerLimits(),  # noqa: B008 - frozen
        want_async: bool = False,
        on_correction: CorrectionSink | None = None,
        outcomes: OutcomeSink | None = None,
        to_cloud: Callable[[Array], Array] | None = None,
        label_map: Mapping[str, str] | None = None,
        confidence: ConfidenceFn | None = None,
    ) -> None:
        self._edge = edge
        self._labels = edge.spec.labels
        self._policy = policy or Policy(
            threshold=0.8 if threshold is None else threshold,
            score=_choice(Score, "score", score),
            temperature=temperature,
            class_thresholds=_by_index(class_thresholds or {}, self._labels),
            budget=budget,
        )
        if policy is not None and threshold is not None:
            raise Misconfigured("HAL-101", "give threshold= or policy=, not both: who owns it must be clear")
        self._threshold_owner = "release" if policy is not None else "code"
        self._mode = _choice(Mode, "mode", mode)
        self._deadline_s = _positive("deadline_s", deadline_s)
        self._want_async = want_async
        self._outcomes = outcomes
        self._to_cloud = to_cloud
        self._reader = EdgeReader(edge.spec, self._policy, confidence)
        self._upstream = _upstream_of(cloud)
        cloud_reader = CloudReader(edge.spec, self._reader.classes, label_map, confidence)
        cloud_reader.match(self._upstream.spec)
        self._up = Escalation(self._upstream, cloud_reader, breaker, self._policy.budget)
        self._corrections = Corrections(on_correction)
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Reason, 0)
        self._unbudgeted_rows = 0
        self._sink_errors = 0
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False
        # Looked up once: the edge path is a few microseconds long.
        self._conform = edge.conform
        self._run = edge.run
        self._output_names = [output.name for output in edge.spec.outputs]
        self._read_row = self._reader.read_row
        self._plain = (
            self._mode is Mode.PREFER_EDGE and not self._policy.class_thresholds and outcomes is None
        )

    # Asking

    def infer(
        self,
        sample: Array | Feed | Request,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> Reply:
        """The answer for one sample, with or without its batch axis, `deadline_s` after the call at most.

        Raises Rejected (HAL-301, HAL-302, HAL-303) for a sample that the edge model cannot take,
        Transient (HAL-401) in the mode `cloud_only` where the cloud gives no answer.
        """
        began_s = time.perf_counter()
        if self._read_row is None or not self._plain or threshold is not None or type(sample) is Request:
            return self._infer_general(sample, began_s, threshold, deadline_s, want_async)
        feed = self._conform(sample)  # type: ignore[arg-type]
        ran_s = time.perf_counter()
        outputs = self._run(feed)
        read_s = time.perf_counter()
        index, confidence = self._read_row(outputs[self._reader.score_at][0])
        if confidence < self._policy.threshold or self._closed:
            rows = self._reader.read(outputs)
            timing = _Timing(began_s, read_s - ran_s, time.perf_counter() - read_s)
            return self._escalate(feed, rows, timing, None, deadline_s, want_async, None)[0]
        with self._lock:
            self._counts[Reason.CONFIDENT] += 1
            self._unbudgeted_rows += 1
        return self._edge_reply(
            new_id(), index, confidence, outputs, read_s - ran_s, time.perf_counter() - read_s
        )

    def infer_batch(
        self,
        batch: Array | Feed,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> list[Reply]:
        """One answer a row; only the rows that are not sure travel, in one call. Raises as `infer` does."""
        began_s = time.perf_counter()
        return self._general(
            self._edge.conform_batch(batch), began_s, threshold, deadline_s, want_async, None
        )

    async def ainfer(
        self,
        sample: Array | Feed | Request,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> Reply:
        """`infer` for callers in an event loop; it runs in a thread of a small pool."""
        ask = partial(self.infer, sample, threshold=threshold, deadline_s=deadline_s, want_async=want_async)
        return await asyncio.get_running_loop().run_in_executor(self._pool(), ask)

    async def ainfer_batch(
        self,
        batch: Array | Feed,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> list[Reply]:
        """`infer_batch` for callers in an event loop."""
        ask = partial(
            self.infer_batch, batch, threshold=threshold, deadline_s=deadline_s, want_async=want_async
        )
        return await asyncio.get_running_loop().run_in_executor(self._pool(), ask)

    def corrections(self, timeout_s: float | None = None) -> Iterator[Correction]:
        """The cloud's late verdicts as they come, where no `on_correction` was given.

        Ends when none came for `timeout_s` seconds, or when this object is closed.
        """
        return self._corrections.iterate(timeout_s)

    def health(self) -> Health:
        """What was answered why, and how the cloud does."""
        spec, link, failure = self._upstream.spec, self._up.link, self._up.last_failure
        with self._lock:
            replies = {reason.value: count for reason, count in self._counts.items() if count}
        return Health(
            mode=self._mode,
            threshold=self._policy.threshold,
            threshold_owner=self._threshold_owner,
            replies=replies,
            corrections=self._corrections.count,
            corrections_dropped=self._corrections.dropped,
            sink_errors=self._sink_errors,
            breaker=self._up.breaker_state.value,
            cloud=None if spec is None else spec.ref,
            failure=None if failure is None else f"{failure.reason}: {failure.detail}",
            link_s=link.seconds if link.measurements else None,
        )

    def close(self) -> None:
        """End the cloud's connections and every thread. May be called again."""
        self._closed = True
        self._upstream.close()
        self._corrections.close()
        if self._executor is not None:
            self._executor.shutdown()

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
        return (
            f"<Tiered {self._edge.spec.ref} below {self._upstream!r}, {self._mode}, "
            f"threshold {self._policy.threshold:g} on {self._policy.score}, deadline {self._deadline_s:g} s>"
        )

    # The general path

    def _infer_general(
        self,
        sample: Array | Feed | Request,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
    ) -> Reply:
        request = sample if isinstance(sample, Request) else None
        feed = self._conform(request.inputs if request else sample)  # type: ignore[arg-type]
        return self._general(feed, began_s, threshold, deadline_s, want_async, request)[0]

    def _general(
        self,
        feed: Feed,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
        request: Request | None,
    ) -> list[Reply]:
        if threshold is not None:
            check_threshold("threshold", threshold)
        if self._mode is Mode.CLOUD_ONLY:
            replies = self._cloud_only(feed, began_s, deadline_s, request)
        else:
            ran_s = time.perf_counter()
            outputs = self._run(feed)
            read_s = time.perf_counter()
            rows = self._reader.read(outputs)
            timing = _Timing(began_s, read_s - ran_s, time.perf_counter() - read_s)
            replies = self._escalate(feed, rows, timing, threshold, deadline_s, want_async, request)
        if self._outcomes is not None:
            for reply in replies:
                self._record(self._outcomes, reply, request)
        return replies

    def _escalate(
        self,
        feed: Feed,
        rows: Rows,
        timing: "_Timing",
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
        request: Request | None,
    ) -> list[Reply]:
        """Gate the rows, send up those that should go, and answer each."""
        if self._closed:
            raise Rejected("HAL-406", "this Tiered is closed")
        allowed_s = self._deadline_s if deadline_s is None else _positive("deadline_s", deadline_s)
        later = self._want_async if want_async is None else want_async
        count = len(rows.index)
        ids = [request.id] if request is not None and request.id else [new_id() for _ in range(count)]
        up, reasons, cloud_feed, payload_bytes = self._gated(feed, rows, timing, threshold, allowed_s, later)
        replies: list[Reply | None] = [None] * count
        if up.size:
            up_ids = [ids[i] for i in up]
            edge_values = [self._value(int(rows.index[i])) for i in up]
            if later:
                for i in up:
                    reasons[i] = Reason.PENDING
                self._up.send(
                    cloud_feed,
                    len(up),
                    payload_bytes,
                    call_id=up_ids[0],
                    on_verdict=lambda cloud: self._correct(cloud, up_ids, edge_values),
                )
            else:
                cloud = self._up.ask(
                    cloud_feed,
                    len(up),
                    payload_bytes,
                    call_id=up_ids[0],
                    until_s=time.monotonic() + allowed_s - (time.perf_counter() - timing.began_s),
                    on_late=lambda cloud: self._correct(cloud, up_ids, edge_values),
                )
                if isinstance(cloud, Failed):
                    for i in up:
                        reasons[i] = cloud.reason
                else:
                    reason = Reason.ESCALATED if self._mode is Mode.PREFER_EDGE else Reason.MODE
                    for at, i in enumerate(up):
                        reasons[i] = reason
                        replies[i] = self._cloud_reply(ids[i], cloud, at, reason, timing)
        with self._lock:
            for reason in reasons:
                self._counts[reason] += 1
        return [
            replies[i] or self._edge_reply_of_row(ids[i], rows, i, reasons[i], timing) for i in range(count)
        ]

    def _gated(
        self,
        feed: Feed,
        rows: Rows,
        timing: "_Timing",
        threshold: float | None,
        allowed_s: float,
        later: bool,
    ) -> tuple[Array, list[Reason], Feed, int]:
        """Which rows go up, every row's reason so far, and what travels."""
        count = len(rows.index)
        if self._mode is Mode.EDGE_ONLY:
            return np.empty(0, np.int64), [Reason.MODE] * count, feed, 0
        policy = self._policy
        if threshold is not None:
            policy = msgspec.structs.replace(policy, threshold=threshold, class_thresholds={})
        everything = self._mode is Mode.PREFER_CLOUD
        wanting = (
            np.arange(count)
            if everything
            else np.flatnonzero(rows.confidence < thresholds_of(rows.index, policy))
        )
        with self._lock:
            seen_rows, self._unbudgeted_rows = self._unbudgeted_rows + count, 0
        if not wanting.size:
            return wanting, [Reason.CONFIDENT] * count, feed, 0
        cloud_feed = self._cloud_feed(feed, wanting, count)
        payload_bytes = sum(array.nbytes for array in cloud_feed.values())
        left_s = allowed_s - (time.perf_counter() - timing.began_s)
        granted, otherwise = self._up.grant(
            wanting.size,
            seen_rows,
            payload_bytes,
            float("inf") if later else left_s,
            budgeted=not everything,
        )
        if everything:
            up = wanting if granted else wanting[:0]
            return up, [Reason.ESCALATED if granted else otherwise] * count, cloud_feed, payload_bytes
        decisions = gate(
            rows.index,
            rows.confidence,
            policy,
            hold=None if otherwise is Reason.BUDGET else otherwise,
            granted=lambda _: granted,
        )
        up = np.flatnonzero(decisions.escalate)
        if len(up) < len(wanting):
            cloud_feed = self._cloud_feed(feed, up, count) if len(up) else feed
        return up, decisions.reasons, cloud_feed, payload_bytes

    def _cloud_feed(self, feed: Feed, up: Array, count: int) -> Feed:
        if len(up) < count:
            feed = {name: array[up] for name, array in feed.items()}
        if self._to_cloud is None:
            return feed
        return {name: np.asarray(self._to_cloud(array)) for name, array in feed.items()}

    def _cloud_only(
        self, feed: Feed, began_s: float, deadline_s: float | None, request: Request | None
    ) -> list[Reply]:
        if self._closed:
            raise Rejected("HAL-406", "this Tiered is closed")
        allowed_s = self._deadline_s if deadline_s is None else _positive("deadline_s", deadline_s)
        count = len(next(iter(feed.values())))
        ids = [request.id] if request is not None and request.id else [new_id() for _ in range(count)]
        cloud_feed = self._cloud_feed(feed, np.arange(count), count)
        payload_bytes = sum(array.nbytes for array in cloud_feed.values())
        timing = _Timing(began_s, None, None)
        granted, otherwise = self._up.grant(count, count, payload_bytes, allowed_s, budgeted=False)
        answer: CloudRows | Failed = Failed(reason=otherwise, detail=f"not tried: {otherwise}")
        if granted:
            answer = self._up.ask(
                cloud_feed,
                count,
                payload_bytes,
                call_id=ids[0],
                until_s=time.monotonic() + allowed_s - (time.perf_counter() - began_s),
                on_late=lambda _: None,  # there was no reply that it could correct
            )
        if isinstance(answer, Failed):
            raise Transient("HAL-401", f"the cloud gave no answer ({answer.reason}): {answer.detail}")
        with self._lock:
            self._counts[Reason.MODE] += count
        return [self._cloud_reply(ids[i], answer, i, Reason.MODE, timing) for i in range(count)]

    # Replies

    def _edge_reply(
        self,
        request_id: str,
        index: int,
        confidence: float,
        outputs: Sequence[Array],
        edge_s: float,
        gate_s: float,
    ) -> Reply:
        """The confident reply of the shortest path: one row, class scores known."""
        label = self._labels[index] if self._labels is not None else None
        raw = outputs[self._reader.score_at]
        scores = raw[0] if self._reader.gives_probabilities else self._reader.probabilities(raw)[0]
        return Reply(
            id=request_id,
            value=index if label is None else label,
            confidence=confidence,
            tier=Tier.EDGE,
            reason=Reason.CONFIDENT,
            degraded=False,
            index=index,
            label=label,
            scores=scores,
            outputs={name: array[0] for name, array in zip(self._output_names, outputs, strict=True)},
            edge_s=edge_s,
            gate_s=gate_s,
            cloud_s=None,
            edge_model=self._edge.spec.ref,
            cloud_model=None,
        )

    def _edge_reply_of_row(
        self, request_id: str, rows: Rows, at: int, reason: Reason, timing: "_Timing"
    ) -> Reply:
        said = self._prediction(rows, at, self._edge.spec.ref)
        cloud = self._upstream.spec
        return Reply(
            id=request_id,
            value=said.value,
            confidence=said.confidence,
            tier=Tier.EDGE,
            reason=reason,
            degraded=reason.degraded,
            index=said.index,
            label=said.label,
            scores=said.scores,
            outputs=said.outputs,
            edge_s=timing.edge_s,
            gate_s=timing.gate_s,
            cloud_s=None,
            edge_model=said.model,
            cloud_model=cloud.ref if cloud is not None and reason.degraded else None,
            task=said.task,
        )

    def _cloud_reply(
        self, request_id: str, cloud: CloudRows, at: int, reason: Reason, timing: "_Timing"
    ) -> Reply:
        said = self._prediction(cloud.rows, at, cloud.model)
        return Reply(
            id=request_id,
            value=said.value,
            confidence=said.confidence,
            tier=Tier.CLOUD,
            reason=reason,
            degraded=False,
            index=said.index,
            label=said.label,
            scores=said.scores,
            outputs=said.outputs,
            edge_s=timing.edge_s,
            gate_s=timing.gate_s,
            cloud_s=cloud.elapsed_s,
            edge_model=self._edge.spec.ref,
            cloud_model=cloud.model,
            task=said.task,
        )

    def _prediction(self, rows: Rows, at: int, model: ModelRef) -> Prediction:
        index = int(rows.index[at])
        known = index >= 0
        outputs = {name: array[at] for name, array in rows.outputs.items()}
        label = self._labels[index] if known and self._labels is not None else None
        return Prediction(
            value=self._value(index) if known else outputs,
            confidence=float(rows.confidence[at]),
            model=model,
            task=self._edge.spec.task,
            index=index if known else None,
            label=label,
            scores=None if rows.probs is None else rows.probs[at],
            outputs=outputs,
        )

    def _value(self, index: int) -> Any:
        if index < 0:
            return None
        return index if self._labels is None else self._labels[index]

    def _correct(self, cloud: CloudRows, ids: Sequence[str], replied: Sequence[Any]) -> None:
        for at, (request_id, value) in enumerate(zip(ids, replied, strict=True)):
            said = self._prediction(cloud.rows, at, cloud.model)
            self._corrections.put(
                Correction(
                    id=request_id,
                    prediction=said,
                    replied=value,
                    changed=said.index is None or said.value != value,
                    cloud_s=cloud.elapsed_s,
                )
            )

    def _record(self, sink: OutcomeSink, reply: Reply, request: Request | None) -> None:
        outcome = Outcome(
            id=reply.id,
            tier=reply.tier,
            reason=reply.reason,
            degraded=reply.degraded,
            confidence=reply.confidence,
            index=reply.index,
            label=reply.label,
            edge_s=reply.edge_s,
            gate_s=reply.gate_s,
            cloud_s=reply.cloud_s,
            edge_model=reply.edge_model,
            cloud_model=reply.cloud_model,
            captured_s=request.captured_s if request else None,
            source=request.source if request else None,
            group=request.group if request else None,
        )
        try:
            sink.record(outcome)
        except Exception:
            self._sink_errors += 1

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise Rejected("HAL-406", "this Tiered is closed")
            if self._executor is None:
                self._executor = ThreadPoolExecutor(ASYNC_WORKERS, thread_name_prefix="halocline ainfer")
            return self._executor


class _Timing(msgspec.Struct, frozen=True):
    began_s: float
    edge_s: float | None
    gate_s: float | None


def _upstream_of(cloud: Upstream | Model | Function) -> Upstream:
    if hasattr(cloud, "call") and hasattr(cloud, "send"):
        return cast(Upstream, cloud)
    if hasattr(cloud, "conform_batch") and hasattr(cloud, "run"):
        return upstream_of_model(cast(Model, cloud))
    if callable(cloud):
        return upstream_of_function(cloud)
    raise Misconfigured(
        "HAL-102",
        f"cloud must be what connect() or load() gives, or a function, got {type(cloud).__name__}",
    )


def _choice(kind: type[Any], name: str, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise Misconfigured("HAL-102", f"{name} must be one of {known}, got {value!r}") from None


def _positive(name: str, value: float) -> float:
    if isinstance(value, (int, float)) and 0 < value < float("inf"):
        return value
    raise Misconfigured("HAL-101", f"{name} must be a number of seconds above 0, got {value!r}")


def _by_index(thresholds: Mapping[int | str, float], labels: Sequence[str] | None) -> dict[int, float]:
    known = list(labels or ())
    result = {}
    for key, value in thresholds.items():
        if isinstance(key, str):
            if key not in known:
                raise Misconfigured(
                    "HAL-102", f"class_thresholds: {key!r} is no label; known are {known or 'none'}"
                )
            result[known.index(key)] = value
        else:
            result[int(key)] = value
    return result
