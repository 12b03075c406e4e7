"""Ask both tiers about rows of data: what each says of every row, and what asking took."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import msgspec
import numpy as np

from halocline.decide.gate import NO_CLASS, NO_CONFIDENCE, Policy
from halocline.edge.arguments import edge_of, upstream_of
from halocline.edge.placing import in_picture, in_pictures, is_fitted
from halocline.edge.reading import CloudReader, CloudRows, EdgeReader, Rows
from halocline.edge.sending import Send, Sender
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
from halocline.folders import cache_folder
from halocline.ports import Answered, Failed, Feed, Function, Model, Upstream
from halocline.records import Anomaly, Array, ModelRef, ModelSpec, Reason, ScoreKind, Task
from halocline.tuning.desk import CloudCost, Desk, Progress, body_bytes
from halocline.tuning.intake import Intake, LeftOut, Ready, count, joined, sliced
from halocline.tuning.said import Said, packed, unpacked
from halocline.tuning.store import AnswerStore
from halocline.tuning.truth import VERDICTS

Check: TypeAlias = Callable[[ModelSpec, int, int], None]
"""Called with the edge model, its classes and the rows before the cloud is asked; raises what is wrong."""

Cache: TypeAlias = Path | str | bool | None
"""A folder for the cloud's answers; None or True: the user's cache folder; False: keep none."""

BATCH_ROWS = 256
LONGEST_REST_S = 60.0
TIMED_ROWS = 100
NAMED = 3
"""So many samples that are left out are named in a note."""
TRIES = 5
"""So often a cloud that says "later" (429, 503) is asked again."""


@runtime_checkable
class RemoteCloud(Protocol):
    """What tuning asks of a cloud behind a URL."""

    @property
    def url(self) -> str:
        """Where it is."""

    def wait_ready(self, timeout_s: float) -> ModelSpec:
        """Wait until its metadata is known."""


class Latency(msgspec.Struct, frozen=True):
    """Seconds that one row took, at the median and at the 99th percentile, over so many calls."""

    p50_s: float
    p99_s: float
    calls: int


class Gathered(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What both tiers say of the same rows, in the edge's class order.

    `scores` `[rows, classes]` are the edge's as it gave them, of the kind `score_kind`; `cloud_index`
    `[rows]` the class that the cloud gave; `outputs` the edge's outputs by name and `inputs` its feed.
    In other tasks than classification `said` has the answers, there are no scores and outputs, and
    `cloud_index` is a scorer's verdict, 0 or 1, else NO_CLASS.
    """

    edge: ModelSpec
    edge_digest: str
    scores: Array
    score_kind: ScoreKind | None
    outputs: Mapping[str, Array]
    inputs: Mapping[str, Array]
    cloud: ModelRef
    cloud_digest: str | None
    cloud_index: Array
    cost: CloudCost
    row_bytes: int
    """The request body of one escalated row, as this cloud is spoken to, or would be if it is a model here
    and were served; of files the mean of the first."""
    edge_s: Latency
    cloud_s: Latency | None
    """None where no call was made to time it."""
    notes: tuple[str, ...] = ()
    given: int
    """How many rows were given; `places` int64 `[rows]` says which of them these are."""
    places: Array
    left_out: tuple[LeftOut, ...] = ()
    said: Said | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.places)

    @property
    def classes(self) -> Sequence[str] | None:
        """The names of the classes that rows are counted by; None where they have none."""
        if self.edge.task is Task.SCORE:
            return VERDICTS
        return self.edge.labels if self.edge.task is Task.CLASSIFY else None


def gather(
    edge: Model,
    cloud: Upstream | Model | Function,
    inputs: Array | Feed | Sequence[Any],
    *,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    cache: Cache = None,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
    latency_calls: int = 0,
    progress: Progress | None = None,
    strict: bool = False,
    check: Check | None = None,
) -> Gathered:
    """Ask both tiers about every row, the cloud only about rows that it has not answered before.

    Raw samples (paths, bytes, arrays) are read and made ready `batch_rows` at a time, by the description
    of each tier; one that cannot be is left out and named, unless `strict`. What the cloud says is kept as
    it comes: after a failure the next attempt goes on from there.
    `latency_calls` rows are sent one by one besides, to time the cloud.
    Raises Rejected (HAL-301, HAL-302, HAL-303) for rows that the edge model cannot take, Transient,
    Rejected or Untrusted where the cloud gives no answer, Misconfigured (HAL-111) where the cache
    cannot be written.
    """
    if batch_rows < 1:
        raise Misconfigured("HAL-101", f"batch_rows must be 1 or more, got {batch_rows}")
    local = edge_of(edge)
    reader = EdgeReader(local.spec, Policy(), None)
    known = len(VERDICTS) if local.spec.task is Task.SCORE else reader.classes
    if reader.task is not None:
        known = known or 0  # a detector's classes are those of its boxes
    intake = Intake(local, inputs, strict=strict)
    if check is not None and known is not None:
        check(local.spec, known, intake.rows)
        check = None
    with _asked(cloud) as upstream:
        spec = _spec_of(cloud, upstream, timeout_s)  # what travels depends on it
        sender = partial(Sender, upstream, local.spec, to_cloud=to_cloud)
        chunks = intake.chunks(sender(send=Send.TENSOR), min(batch_rows, BATCH_ROWS))
        run = _run_edge(local, reader, intake, chunks)
        first = next(run)
        classes = known
        if reader.task is None:
            classes = int(_scores(first.outputs, reader).shape[1])
            if check is not None:
                check(local.spec, classes, intake.rows)
        asking = _Asking(upstream, cloud, spec, local.spec, classes, label_map, timeout_s)
        parts = []
        with _store(asking.identity, cache) as store:
            desk = Desk(asking.answers, store, batch_rows, intake.rows, progress, asking.read)
            for part in itertools.chain([first], run):
                desk.take(part.ready.travelling)
                parts.append(part)
            answers, cost = desk.finish()
        alone = sender(send=Send.AUTO)
        firsts = list(intake.singles([part.ready for part in parts], max(TIMED_ROWS, latency_calls)))
        singles = bodies = [alone.feed(one) for one in firsts]
        if upstream is not cloud:  # a model here stands for one behind `halocline serve`, which takes files
            served = sender(send=Send.AUTO, takes_raw=True)
            bodies = [served.feed(one) for one in firsts]
        cloud_s, cost = asking.time(singles[:latency_calls], cost)
        feed = intake.whole([part.ready.feed for part in parts])
        said = None
        if reader.task is not None:
            said = _said(parts, asking.placed(local, intake, [part.ready for part in parts], answers))
        outputs = {} if said is not None else joined([part.outputs for part in parts])
        return Gathered(
            edge=local.spec,
            edge_digest=_digest_of(local) or "",
            scores=np.empty((len(answers), 0)) if said is not None else _scores(outputs, reader),
            score_kind=None if said is not None else local.spec.score_kind,
            outputs=outputs,
            inputs=feed,
            cloud=asking.ref,
            cloud_digest=asking.digest,
            cloud_index=np.stack(answers).argmax(axis=1) if said is None else verdicts(said.cloud),
            cost=cost,
            row_bytes=round(sum(map(body_bytes, bodies)) / len(bodies)),
            edge_s=_edge_latency(local, feed),
            cloud_s=cloud_s,
            notes=(*told_left_out(intake.left_out, intake.rows), *asking.notes(cost)),
            given=intake.rows,
            places=np.concatenate([part.ready.places for part in parts]),
            left_out=tuple(intake.left_out),
            said=said,
        )


def verdicts(values: Sequence[Any]) -> Array:
    """The verdicts of a scorer as classes int64 `[rows]`, 1 for an anomaly; NO_CLASS for any other value."""
    return np.asarray(
        [int(each.is_anomaly) if isinstance(each, Anomaly) else NO_CLASS for each in values], dtype=np.int64
    )


class _Part(NamedTuple):
    """A chunk of rows, and what the edge says of them."""

    ready: Ready
    outputs: Mapping[str, Array]
    answers: Rows | None = None
    """In other tasks than classification; the outputs, which may be large, are then let go."""


def _scores(outputs: Mapping[str, Array], reader: EdgeReader) -> Array:
    """The class scores `[rows, classes]`."""
    return list(outputs.values())[reader.score_at]


def _run_edge(edge: Model, reader: EdgeReader, intake: Intake, chunks: Iterator[Ready]) -> Iterator[_Part]:
    names = [each.name for each in edge.spec.outputs]
    place = getattr(edge, "placement", None)
    for ready in chunks:
        outputs = [np.asarray(each) for each in edge.run(ready.feed)]
        if reader.task is None:
            yield _Part(ready, dict(zip(names, outputs, strict=True)))
            continue
        read = in_pictures(reader.read(outputs), edge.spec.input, intake.samples(ready), place)
        yield _Part(ready, {}, msgspec.structs.replace(read, outputs={}))


def _said(parts: Sequence[_Part], cloud: Sequence[Any]) -> Said:
    read = [part.answers for part in parts if part.answers is not None]
    edge = [value for each in read for value in each.values or ()]
    sure = np.concatenate([each.confidence for each in read])
    none = np.asarray([value is None for value in edge], dtype=bool)
    return Said(edge=edge, cloud=cloud, confidence=np.where(none, NO_CONFIDENCE, sure))


def told_left_out(left: Sequence[LeftOut], given: int) -> tuple[str, ...]:
    """Which samples could not be made ready; nothing where all could."""
    if not left:
        return ()
    named = "; ".join(f"{each.name}: {each.why}" for each in left[:NAMED])
    more = f"; and {len(left) - NAMED} more" if len(left) > NAMED else ""
    verb = "is" if len(left) == 1 else "are"
    return (f"{len(left)} of the {given} samples could not be read and {verb} left out: {named}{more}",)


def _edge_latency(edge: Model, feed: Feed) -> Latency:
    took_s = []
    for at in range(min(TIMED_ROWS, count(feed))):
        row = sliced(feed, at, 1)
        began_s = time.perf_counter()
        edge.run(row)
        took_s.append(time.perf_counter() - began_s)
    return _latency(took_s)


def _latency(took_s: list[float]) -> Latency:
    p50, p99 = np.percentile(took_s, [50, 99])
    return Latency(float(p50), float(p99), len(took_s))


@contextlib.contextmanager
def _asked(cloud: Upstream | Model | Function) -> Iterator[Upstream]:
    """The cloud as an Upstream; one that was made here is closed here."""
    upstream = upstream_of(cloud)
    try:
        yield upstream
    finally:
        if upstream is not cloud:
            upstream.close()


def _spec_of(given: object, upstream: Upstream, timeout_s: float) -> ModelSpec | None:
    """What the cloud says of itself; one behind a URL is waited for."""
    return given.wait_ready(timeout_s) if isinstance(given, RemoteCloud) else upstream.spec


@contextlib.contextmanager
def _store(identity: str | None, cache: Cache) -> Iterator[AnswerStore | None]:
    if identity is None or cache is False:
        yield None
        return
    folder = cache_folder() if cache is None or cache is True else Path(cache).expanduser()
    store = AnswerStore(folder / "answers", identity)
    try:
        yield store
    finally:
        store.close()


class _Asking:
    """One cloud, and how it is asked."""

    def __init__(
        self,
        upstream: Upstream,
        given: object,
        spec: ModelSpec | None,
        edge: ModelSpec,
        classes: int | None,
        label_map: Mapping[str, str] | None,
        timeout_s: float,
    ) -> None:
        self._edge = edge
        self._upstream = upstream
        self._timeout_s = timeout_s
        self._url = given.url if isinstance(given, RemoteCloud) else None
        self._spec = spec
        self._place = self._url or str(self._spec.ref if self._spec else type(given).__name__)
        self._reader = CloudReader(edge, classes, label_map, None)
        self._answered_by: ModelRef | None = None
        mapping = self._reader.match(self._spec)
        self.digest = None if self._url is not None else _digest_of(given)
        self.identity = self._identity(edge, mapping)

    @property
    def ref(self) -> ModelRef:
        """Who answers; the version from the answers where the metadata had none."""
        known = self._spec.ref if self._spec is not None else ModelRef("cloud")
        said = self._answered_by
        return said if said is not None and said.version and not known.version else known

    def notes(self, cost: CloudCost) -> tuple[str, ...]:
        """What a reader of the figures should know about the cloud."""
        if self._url is None or self.ref.version or not cost.rows_known:
            return ()
        day = time.strftime("%Y-%m-%d", time.gmtime(cost.oldest_s))
        doubt = (
            f"{self._url} states no version, so nothing tells whether it still is the model whose answers "
        )
        return (f"{doubt}were kept (the oldest on {day}); ask it again with cache=False or --no-cache",)

    def answers(self, feed: Feed) -> list[Array]:
        """What is kept of each row of one call: class probabilities `[classes]`, or the outputs packed."""
        said = self._call(feed, count(feed))
        if said.values is not None:
            return [packed(said.outputs, row) for row in range(len(said.values))]
        assert said.probs is not None  # the edge classifies
        return list(np.ascontiguousarray(said.probs, dtype=np.float64))

    def read(self, kept: Array) -> Any:
        """What becomes of what was kept: class probabilities as they are, else the answer of the task.

        Boxes are in fractions of the cloud's tensor: where that lies in the picture, the row tells.
        """
        if self._edge.task is Task.CLASSIFY:
            return kept
        said = Answered(outputs=unpacked(kept), model=self.ref, elapsed_s=0.0)
        return (self._rows(said, 1).values or (None,))[0]

    def placed(
        self, edge: Model, intake: Intake, parts: Sequence[Ready], values: Sequence[Any]
    ) -> Sequence[Any]:
        """The values of all rows, boxes in fractions of the pictures that were given."""
        place = getattr(edge, "placement", None)
        told = self._spec.input if self._spec is not None and self._spec.input else edge.spec.input
        found: list[Any] = []
        for ready in parts:
            some = values[len(found) : len(found) + len(ready.places)]
            samples = intake.samples(ready)
            if samples is not None and place is not None and is_fitted(told):
                some = [in_picture(*pair, told, place) for pair in zip(some, samples, strict=True)]
            found += some
        return found

    def time(self, singles: Sequence[Feed], cost: CloudCost) -> tuple[Latency | None, CloudCost]:
        """How long one row takes, and the cost with these calls in it."""
        if not singles:
            return None, cost
        took_s, bytes_up = [], 0
        for row in singles:
            began_s = time.perf_counter()
            self._call(row, 1)
            took_s.append(time.perf_counter() - began_s)
            bytes_up += body_bytes(row)
        return _latency(took_s), msgspec.structs.replace(
            cost,
            rows_asked=cost.rows_asked + len(singles),
            calls=cost.calls + len(singles),
            bytes_up=cost.bytes_up + bytes_up,
        )

    def _call(self, feed: Feed, rows: int) -> Rows:
        failed: Failed | None = None
        for attempt in range(TRIES):
            verdict = self._upstream.call(
                feed, call_id=f"tune-{time.time_ns()}", until_s=time.monotonic() + self._timeout_s
            )
            if not isinstance(verdict, Failed):
                read = self._rows(verdict, rows)
                self._same_model(verdict.model)
                return read
            failed = verdict
            if verdict.retry_after_s is None or attempt + 1 == TRIES:
                break
            time.sleep(min(verdict.retry_after_s, LONGEST_REST_S))
        assert failed is not None
        raise _error_of(failed, self._place, is_here=self._url is None)

    def _rows(self, verdict: Answered, rows: int) -> Rows:
        read = self._reader.read(verdict, self._spec, rows)
        if isinstance(read, CloudRows):
            return read.rows
        raise _error_of(read, self._place, is_here=self._url is None)

    def _same_model(self, ref: ModelRef) -> None:
        if self._answered_by is not None and ref != self._answered_by:
            raise Transient(
                "HAL-405",
                f"{self._place} changed from {self._answered_by} to {ref} while it was being asked. "
                "Run it again when the roll-out is over.",
            )
        self._answered_by = ref

    def _identity(self, edge: ModelSpec, mapping: Array | None) -> str | None:
        """What the answers depend on besides the row; None where that is not known."""
        spec = self._spec
        if spec is None or (self._url is None and self.digest is None):
            return None
        place = f"{self._url or self.digest} {spec.ref if self._url else ''}"
        if edge.task is not Task.CLASSIFY:
            return f"{place} outputs"  # kept as they came: how they are read may change
        read_as = f"{spec.score_kind} {spec.score_output}"
        order = (
            f"{edge.labels if mapping is not None else None} {None if mapping is None else mapping.tolist()}"
        )
        return f"{place} {read_as} {order}"


def _digest_of(model: object) -> str | None:
    """The digest of a loaded model; None for a function, and for a model that knows none."""
    return getattr(model, "digest", "") or None


def _error_of(failed: Failed, place: str, *, is_here: bool) -> HaloclineError:
    """A failure as the error of whoever must mend it; a model or function of this process fails for good."""
    text = f"{place}: {failed.detail}."
    if failed.reason is Reason.UNTRUSTED:
        return Untrusted("HAL-402", text)
    if failed.reason is Reason.INVALID_ANSWER:
        return (Rejected if is_here else Transient)("HAL-405", text)
    if failed.status is None:
        return Rejected("HAL-403", text) if is_here else Transient("HAL-404", text)
    if not 400 <= failed.status < 500 or failed.status in (408, 425, 429):
        return Transient("HAL-403", text)
    fewer = "Where it takes fewer rows a call, say so with batch_rows= or --batch-rows."
    return Rejected("HAL-403", f"{text} {fewer}")
