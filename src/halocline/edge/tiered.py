"""Tiered inference: the edge model answers when it is sure; the cloud answers the rest, if it is in time."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from halocline.decide.allowance import EscalationBudget
from halocline.decide.breaker import BreakerLimits
from halocline.decide.gate import Policy, Score, check_threshold
from halocline.edge.arguments import choice, edge_of, functions, policy_of, seconds, upstream_of
from halocline.edge.asking import Ask, ids_for
from halocline.edge.corrections import Corrections
from halocline.edge.escalation import Escalation
from halocline.edge.ids import new_id
from halocline.edge.judge import Judge
from halocline.edge.reading import CloudReader, CloudRows, ConfidenceFn, EdgeReader
from halocline.edge.replies import Replies, Timing, outcome_of
from halocline.edge.route import Plan, Route
from halocline.edge.sending import Going, RawRows, Send, Sender, going_of, going_of_one, some_of
from halocline.errors import Misconfigured, Rejected, Transient
from halocline.ports import CorrectionSink, Failed, Feed, Function, Model, OutcomeSink, Upstream
from halocline.records import Array, Correction, Mode, ModelRef, Owner, Reason, Reply, Request

if TYPE_CHECKING:
    from halocline.decide.spot_check import SpotCheck
    from halocline.edge.following import Following
    from halocline.edge.health import Health
    from halocline.edge.policies import HasFile
    from halocline.edge.pool import AsyncPool
    from halocline.wire.policy_file import PolicyFile


class Tiered:
    """A small model here, a larger one elsewhere, and one answer in time. Thread-safe.

    `cloud` is anything that predicts: what `connect` or `load` gives, or a function from a batch to
    class probabilities. A row stays at the edge when its confidence is at least `threshold`
    (`class_thresholds` by label or class index); otherwise it goes up, and if no answer has come
    `deadline_s` seconds after the call began, the edge answer is returned, marked degraded, and a late
    verdict becomes a Correction with the same id: passed to `on_correction`, or iterated with
    `corrections()`. `budget` caps the escalations; `breaker=None` switches the breaker off.
    A sample is given raw (array, bytes, path) where a tier has a description of its input: each tier makes
    its own tensor of it, the cloud's only when the row goes up; `send` says what then travels, "tensor",
    "raw" (the file's bytes), or by "auto" the smaller of the two. Without descriptions, `to_cloud` turns
    the edge's batch into the cloud's. Both happen on the caller's thread: their time counts and cannot be
    cut short. `label_map` gives the edge label of each cloud label that is named otherwise;
    `confidence` reads one confidence a row from any outputs.
    `outcomes` receives what was decided of each request. `policy` sets threshold, score, temperature,
    class thresholds, budget and more in one value; as a file, its path, or what `tune` gave, it is what
    was tuned, and `health().promise` tells how its promise stands. `spot_check` has a share of the sure
    answers checked by the cloud behind the caller's back; the verdicts come as Corrections. `owner` says
    who set the threshold, where it was neither a file nor the code. Closing it closes the cloud it was given.

    Raises Misconfigured: HAL-101 (a number out of range), HAL-102 (no such choice, class or label, or a
    thing of the wrong kind), HAL-202 (no telling what the edge model's scores are), HAL-204 (the tiers'
    labels do not match), HAL-110 and HAL-207 (a policy file that is none, or for another model).
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
        policy: "Policy | PolicyFile | HasFile | str | os.PathLike[str] | None" = None,
        spot_check: "SpotCheck | None" = None,
        breaker: BreakerLimits | None = BreakerLimits(),  # noqa: B008 - frozen
        want_async: bool = False,
        on_correction: CorrectionSink | None = None,
        outcomes: OutcomeSink | None = None,
        to_cloud: Callable[[Array], Array] | None = None,
        send: Send | str = Send.AUTO,
        label_map: Mapping[str, str] | None = None,
        confidence: ConfidenceFn | None = None,
        owner: Owner | None = None,
    ) -> None:
        functions(on_correction=on_correction, to_cloud=to_cloud, confidence=confidence)
        if not isinstance(breaker, BreakerLimits | None):
            raise Misconfigured("HAL-102", f"breaker must be BreakerLimits or None, got {breaker!r}")
        if outcomes is not None and not hasattr(outcomes, "record"):
            raise Misconfigured("HAL-102", f"outcomes must have a method record(outcome), got {outcomes!r}")
        self._edge = edge_of(edge)
        policy, file = policy_of(policy, edge, threshold, score, temperature, class_thresholds, budget)
        self._policy = policy
        self._mode = choice(Mode, "mode", mode)
        self._deadline_s = seconds("deadline_s", deadline_s)
        self._want_async = want_async
        if want_async and self._mode is Mode.CLOUD_ONLY:
            raise Misconfigured("HAL-102", "want_async has no edge answer to give in the mode cloud_only")
        self._outcomes = outcomes
        self._reader = EdgeReader(edge.spec, policy, confidence)
        self._upstream = upstream_of(cloud)
        cloud_reader = CloudReader(edge.spec, self._reader.classes, label_map, confidence)
        cloud_reader.match(self._upstream.spec)
        self._up = Escalation(self._upstream, cloud_reader, breaker, policy.budget)
        sender = Sender(self._upstream, edge.spec, choice(Send, "send", send), to_cloud)
        self._replies = Replies(edge.spec, self._reader, getattr(edge, "placement", None), sender.sends_files)
        self._route = Route(self._mode, policy, self._up, sender)
        self._corrections = Corrections(on_correction)
        if owner is None:
            owner = Owner.CODE if file is None else Owner.FILE
        self._judge = Judge(policy, owner, edge.spec)
        self._following: Following | None = None
        if file is not None or spot_check is not None or policy.personal is not None:
            from halocline.edge.following import follow  # a start that watches nothing need not load it

            self._following = follow(
                file, spot_check, self._judge, cloud, self._up, self._route, self._replies, self._corrections
            )
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Reason, 0)
        self._unbudgeted_rows = 0
        self._sink_errors = 0
        self._pool: AsyncPool | None = None
        self._closed = False
        # Looked up once: the edge path is a few microseconds long.
        self._conform = edge.conform
        self._run = edge.run
        self._read_row = self._reader.read_row
        self._score_at = self._reader.score_at
        self._is_plain = self._judge.is_plain
        self._owner = self._judge.owner
        self._threshold = policy.threshold
        self._class_thresholds = policy.class_thresholds
        self._gated = self._mode is Mode.PREFER_EDGE and self._read_row is not None

    # Asking

    def infer(
        self,
        sample: Any,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> Reply:
        """The answer for one sample, `deadline_s` seconds after the call at most.

        An array comes with or without its batch axis; a Request may hold whatever a sample may be.
        Raises Rejected (HAL-301, HAL-302, HAL-303; HAL-310 … HAL-316) for a sample that the edge model
        cannot take, Transient (HAL-401) in the mode `cloud_only` where the cloud gives no answer.
        """
        return self._infer(sample, time.perf_counter(), threshold, deadline_s, want_async)

    def infer_batch(
        self,
        batch: Any,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> list[Reply]:
        """One answer a row; only the rows that are not sure travel, in one call. Raises as `infer` does."""
        return self._infer_batch(batch, time.perf_counter(), threshold, deadline_s, want_async)

    async def ainfer(
        self,
        sample: Any,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> Reply:
        """`infer` for callers in an event loop; it runs in a thread of a small pool.

        Time spent waiting for a thread counts: the deadline runs from this call on.
        """
        ask = partial(self._infer, sample, time.perf_counter(), threshold, deadline_s, want_async)
        return await self._threads().submit(ask)

    async def ainfer_batch(
        self,
        batch: Any,
        *,
        threshold: float | None = None,
        deadline_s: float | None = None,
        want_async: bool | None = None,
    ) -> list[Reply]:
        """`infer_batch` for callers in an event loop; as `ainfer`."""
        ask = partial(self._infer_batch, batch, time.perf_counter(), threshold, deadline_s, want_async)
        return await self._threads().submit(ask)

    def answer_run(
        self,
        feed: Feed,
        outputs: Sequence[Array],
        *,
        began_s: float,
        edge_s: float,
        samples: Sequence[Any] | None = None,
    ) -> list[Reply]:
        """One answer a row of a batch that the edge model has run on already; for servers, which batch runs.

        `feed` is what its `conform_batch` gave for `samples` (None: for ready tensors), `outputs` what its
        `run` gave, `edge_s` seconds after it was asked. The deadline counts from `began_s`, on
        `time.perf_counter`.
        """
        going: Going = feed if samples is None else RawRows(samples, feed)
        read_s = time.perf_counter()
        ask = self._ask(began_s, None, None, None, None)
        return self._recorded(ask, self._answer(ask, feed, going, outputs, read_s - edge_s, read_s))

    def corrections(self, timeout_s: float | None = None) -> Iterator[Correction]:
        """The cloud's late verdicts as they come, where no `on_correction` was given.

        Ends when none came for `timeout_s` seconds, or when this object is closed.
        """
        return self._corrections.iterate(timeout_s)

    @property
    def threshold(self) -> float:
        """The threshold in force; a policy that holds a share moves it."""
        return self._judge.threshold

    @property
    def deadline_s(self) -> float:
        """When a request is answered at the latest, where it says nothing itself."""
        return self._deadline_s

    def health(self) -> "Health":
        """What was answered why, and how the cloud and the policy's promise do."""
        from halocline.edge.health import health_of  # no part of a start

        with self._lock:
            replies = {reason.value: count for reason, count in self._counts.items() if count}
        return health_of(
            self._mode,
            self._judge,
            self._following,
            self._corrections,
            self._up,
            self._upstream.spec,
            replies=replies,
            sink_errors=self._sink_errors,
        )

    def close(self) -> None:
        """End the cloud's connections and every thread. May be called again."""
        with self._lock:
            self._closed = True
            pool = self._pool
        if self._following is not None:
            self._following.close()
        self._upstream.close()
        self._corrections.close()
        if pool is not None:
            pool.close()

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
            f"threshold {self._judge.threshold:g} on {self._policy.score}, deadline {self._deadline_s:g} s>"
        )

    # The shortest path: one sample, sure enough

    def _infer(
        self,
        sample: Any,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
    ) -> Reply:
        if not self._gated or threshold is not None or isinstance(sample, Request):
            return self._infer_general(sample, began_s, threshold, deadline_s, want_async)
        if deadline_s is not None:
            seconds("deadline_s", deadline_s)
        feed = self._conform(sample)
        ran_s = time.perf_counter()
        outputs = self._run(feed)
        read_s = time.perf_counter()
        index, confidence = self._read_row(outputs[self._score_at][0])  # type: ignore[misc] # as _gated says
        if self._is_plain:
            enough, novelty, owner = self._threshold, None, self._owner
            if self._class_thresholds:
                enough = self._class_thresholds.get(index, enough)
            sureness, unsure = confidence, confidence < enough
        else:
            owner = self._judge.owner
            unsure, sureness, novelty = self._judge.row(index, confidence, feed, outputs)
        if unsure or self._closed:
            ask = self._ask(began_s, None, deadline_s, want_async, None)
            reply = self._unsure(
                ask, going_of_one(sample, feed, self._edge.spec), outputs, ran_s, read_s, owner, novelty
            )
        else:
            with self._lock:
                self._counts[Reason.CONFIDENT] += 1
                self._unbudgeted_rows += 1
            timing = Timing(read_s - ran_s, time.perf_counter() - read_s)
            cloud = self._cloud_ref()
            reply = self._replies.confident(
                new_id(), index, confidence, outputs, timing, cloud, owner, novelty
            )
        if self._following is not None:
            self._following.one(index, sureness, going_of_one(sample, feed, self._edge.spec), reply)
        if self._outcomes is not None:
            self._record(self._outcomes, reply, None)
        return reply

    # The general path

    def _infer_batch(
        self,
        batch: Any,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
    ) -> list[Reply]:
        if isinstance(batch, Iterator):
            batch = list(batch)  # it is looked at twice
        feed = self._edge.conform_batch(batch)
        going = going_of(batch, feed, self._edge.spec)
        return self._general(self._ask(began_s, threshold, deadline_s, want_async, None), feed, going)

    def _ask(
        self,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
        request: Request | None,
    ) -> Ask:
        if self._closed:
            raise Rejected("HAL-406", "this Tiered is closed")
        return Ask(
            began_s,
            self._deadline_s if deadline_s is None else seconds("deadline_s", deadline_s),
            None if threshold is None else check_threshold("threshold", threshold),
            self._want_async if want_async is None else want_async,
            request,
        )

    def _infer_general(
        self,
        sample: Any,
        began_s: float,
        threshold: float | None,
        deadline_s: float | None,
        want_async: bool | None,
    ) -> Reply:
        request, inputs = (sample, sample.inputs) if isinstance(sample, Request) else (None, sample)
        feed = self._conform(inputs)
        ask = self._ask(began_s, threshold, deadline_s, want_async, request)
        return self._general(ask, feed, going_of_one(inputs, feed, self._edge.spec))[0]

    def _general(self, ask: Ask, feed: Feed, going: Going) -> list[Reply]:
        if self._mode is Mode.CLOUD_ONLY:
            replies = self._cloud_only(ask, going, len(next(iter(feed.values()))))
        else:
            ran_s = time.perf_counter()
            outputs = self._run(feed)
            replies = self._answer(ask, feed, going, outputs, ran_s, time.perf_counter())
        return self._recorded(ask, replies)

    def _recorded(self, ask: Ask, replies: list[Reply]) -> list[Reply]:
        if self._outcomes is not None:
            for reply in replies:
                self._record(self._outcomes, reply, ask.request)
        return replies

    def _unsure(
        self,
        ask: Ask,
        going: Going,
        outputs: Sequence[Array],
        ran_s: float,
        read_s: float,
        owner: Owner,
        novelty: float | None,
    ) -> Reply:
        """One row that wants to go up: as `_answer` of a batch of one, without the arithmetic of batches."""
        timing = Timing(read_s - ran_s, time.perf_counter() - read_s)
        with self._lock:
            rows_before, self._unbudgeted_rows = self._unbudgeted_rows, 0
        left_s = float("inf") if ask.want_async else ask.left_s()
        plan = self._route.plan_unsure(going, rows_before, left_s)
        request_id, reason = new_id(), plan.reasons[0]
        if plan.up.size:
            cloud = self._go_up(
                ask, plan, going, [request_id], lambda: [self._replies.value(self._reader.read(outputs), 0)]
            )
            if isinstance(cloud, CloudRows):
                self._count(reason)
                return self._replies.of_cloud(request_id, cloud, 0, reason, timing, owner, novelty)
            reason = Reason.PENDING if cloud is None else cloud.reason
        self._count(reason)
        rows = self._reader.read(outputs)
        cloud_ref = self._cloud_ref()
        return self._replies.of_edge(request_id, rows, 0, reason, timing, cloud_ref, owner, novelty)

    def _answer(
        self, ask: Ask, feed: Feed, going: Going, outputs: Sequence[Array], ran_s: float, read_s: float
    ) -> list[Reply]:
        """Gate the rows, send up those that should go, and answer each."""
        rows = self._replies.in_pictures(self._reader.read(outputs), going)
        judged = self._judge.rows(rows, feed, ask.threshold) if self._mode is Mode.PREFER_EDGE else None
        timing = Timing(read_s - ran_s, time.perf_counter() - read_s)
        ids = ids_for(ask.request, len(rows.index))
        with self._lock:
            rows_before, self._unbudgeted_rows = self._unbudgeted_rows, 0
        left_s = float("inf") if ask.want_async else ask.left_s()
        plan = self._route.plan(going, rows, judged, rows_before, left_s)
        reasons = plan.reasons
        cloud: CloudRows | Failed | None = None
        if plan.up.size:
            cloud = self._go_up(
                ask,
                plan,
                going if len(plan.up) == len(ids) else some_of(going, plan.up),
                [ids[at] for at in plan.up],
                lambda: [self._replies.value(rows, at) for at in plan.up],
            )
            if not isinstance(cloud, CloudRows):
                instead = Reason.PENDING if cloud is None else cloud.reason
                for at in plan.up:
                    reasons[at] = instead
        self._count(*reasons)
        ref = self._cloud_ref()
        owner = self._owner if judged is None else judged.owner
        far = None if judged is None or judged.novelty is None else judged.novelty.tolist()
        came = {at: position for position, at in enumerate(plan.up)} if isinstance(cloud, CloudRows) else {}
        replies = []
        for at, reason in enumerate(reasons):
            novelty = None if far is None else far[at]
            if isinstance(cloud, CloudRows) and at in came:
                reply = self._replies.of_cloud(ids[at], cloud, came[at], reason, timing, owner, novelty)
            else:
                reply = self._replies.of_edge(ids[at], rows, at, reason, timing, ref, owner, novelty)
            replies.append(reply)
        if self._following is not None:
            self._following.many(rows, judged, going, replies, ask.threshold)
        return replies

    def _go_up(
        self,
        ask: Ask,
        plan: Plan,
        going: Going,
        ids: Sequence[str],
        replied: Callable[[], Sequence[Any]],
    ) -> CloudRows | Failed | None:
        """What the cloud says of the plan's rows in time; None where the verdict is to come later.

        `going` are these rows as they were given; `replied` tells a later verdict what the callers got.
        """

        def correct(cloud: CloudRows) -> None:
            cloud = self._replies.cloud_in_pictures(cloud, going)
            for correction in self._replies.corrections(cloud, ids, replied()):
                self._corrections.put(correction)

        if ask.want_async:
            self._up.send(plan.feed, len(ids), plan.payload_bytes, call_id=ids[0], on_verdict=correct)
            return None
        answer = self._up.ask(
            plan.feed,
            len(ids),
            plan.payload_bytes,
            call_id=ids[0],
            until_s=time.monotonic() + ask.left_s(),
            on_late=correct,
        )
        return answer if isinstance(answer, Failed) else self._replies.cloud_in_pictures(answer, going)

    def _cloud_only(self, ask: Ask, going: Going, count: int) -> list[Reply]:
        ids = ids_for(ask.request, count)
        plan = self._route.everything(going, count, 0, ask.left_s())
        answer: CloudRows | Failed
        if plan.up.size == count:
            answer = self._up.ask(
                plan.feed,
                count,
                plan.payload_bytes,
                call_id=ids[0],
                until_s=time.monotonic() + ask.left_s(),
                on_late=lambda _: None,  # there was no reply that it could correct
            )
        else:
            why = next(reason for reason in plan.reasons if reason is not Reason.MODE)
            answer = Failed(reason=why, detail=f"not tried: {why}")
        if isinstance(answer, Failed):
            raise Transient("HAL-401", f"the cloud gave no answer ({answer.reason}): {answer.detail}")
        self._count(*[Reason.MODE] * count)
        answer = self._replies.cloud_in_pictures(answer, going)
        timing = Timing(None, None)
        return [
            self._replies.of_cloud(ids[at], answer, at, Reason.MODE, timing, self._owner, None)
            for at in range(count)
        ]

    def _count(self, *reasons: Reason) -> None:
        with self._lock:
            for reason in reasons:
                self._counts[reason] += 1

    def _cloud_ref(self) -> ModelRef | None:
        spec = self._upstream.spec
        return None if spec is None else spec.ref

    def _record(self, sink: OutcomeSink, reply: Reply, request: Request | None) -> None:
        try:
            sink.record(outcome_of(reply, request))
        except Exception:
            with self._lock:
                self._sink_errors += 1

    def _threads(self) -> "AsyncPool":
        from halocline.edge.pool import AsyncPool  # only callers in an event loop need it

        with self._lock:
            if self._closed:
                raise Rejected("HAL-406", "this Tiered is closed")
            if self._pool is None:
                self._pool = AsyncPool()
            return self._pool
