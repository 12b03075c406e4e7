"""Ask both tiers about rows of data: what each says of every row, and what asking took."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec
import numpy as np

from halocline.decide.gate import Policy
from halocline.edge.arguments import edge_of, upstream_of
from halocline.edge.reading import CloudReader, CloudRows, EdgeReader
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
from halocline.folders import cache_folder
from halocline.ports import Failed, Feed, Function, Model, Upstream
from halocline.records import Array, ModelRef, ModelSpec, Reason, ScoreKind
from halocline.tuning.store import AnswerStore, row_keys
from halocline.wire import oip

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the rows done and the rows to do."""

Check: TypeAlias = Callable[[ModelSpec, int, int], None]
"""Called with the edge model, its classes and the rows before the cloud is asked; raises what is wrong."""

Cache: TypeAlias = Path | str | bool | None
"""A folder for the cloud's answers; None or True: the user's cache folder; False: keep none."""

BATCH_ROWS = 256
BATCH_BYTES = 4 << 20
"""A call carries at most so much: servers refuse more than they allow."""
LONGEST_REST_S = 60.0
TIMED_ROWS = 100
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


class CloudCost(msgspec.Struct, frozen=True, kw_only=True):
    """What asking the cloud took: rows asked now and rows known already, calls, bytes of request bodies.

    `oldest_s` is when the oldest of the known answers was asked for, in seconds since the epoch.
    """

    rows_asked: int = 0
    rows_known: int = 0
    calls: int = 0
    bytes_up: int = 0
    oldest_s: float | None = None


class Gathered(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What both tiers say of the same rows, in the edge's class order.

    `scores` `[rows, classes]` are the edge's as it gave them, of the kind `score_kind`; `cloud_index`
    `[rows]` the class that the cloud gave; `outputs` the edge's outputs by name and `inputs` its feed.
    """

    edge: ModelSpec
    edge_digest: str
    scores: Array
    score_kind: ScoreKind
    outputs: Mapping[str, Array]
    inputs: Mapping[str, Array]
    cloud: ModelRef
    cloud_digest: str | None
    cloud_index: Array
    cost: CloudCost
    row_bytes: int
    """The request body of one escalated row, as this cloud is spoken to."""
    edge_s: Latency
    cloud_s: Latency | None
    """None where no call was made to time it."""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.scores)


def gather(
    edge: Model,
    cloud: Upstream | Model | Function,
    inputs: Array | Feed,
    *,
    to_cloud: Callable[[Array], Array] | None = None,
    label_map: Mapping[str, str] | None = None,
    cache: Cache = None,
    timeout_s: float = 30.0,
    batch_rows: int = BATCH_ROWS,
    latency_calls: int = 0,
    progress: Progress | None = None,
    check: Check | None = None,
) -> Gathered:
    """Ask both tiers about every row, the cloud only about rows that it has not answered before.

    What the cloud says is kept as it comes: after a failure the next attempt goes on from there.
    `latency_calls` rows are sent one by one besides, to time the cloud.
    Raises Rejected (HAL-301, HAL-302, HAL-303) for rows that the edge model cannot take, Transient,
    Rejected or Untrusted where the cloud gives no answer, Misconfigured (HAL-111) where the cache
    cannot be written.
    """
    if batch_rows < 1:
        raise Misconfigured("HAL-101", f"batch_rows must be 1 or more, got {batch_rows}")
    local = edge_of(edge)
    feed = local.conform_batch(inputs)
    reader = EdgeReader(local.spec, Policy(), None)
    kind = local.spec.score_kind
    assert kind is not None  # or EdgeReader would have refused
    outputs = _run_edge(local, feed, min(batch_rows, BATCH_ROWS))
    name = local.spec.outputs[reader.score_at].name
    if check is not None:
        check(local.spec, outputs[name].shape[1], len(outputs[name]))
    with _asked(cloud) as upstream:
        asking = _Asking(upstream, cloud, local.spec, outputs[name].shape[1], label_map, timeout_s)
        travelling = _travelling(feed, to_cloud)
        with _store(asking.identity, cache) as store:
            probs, cost = asking.ask(travelling, store, batch_rows, progress)
        cloud_s, cost = asking.time(travelling, latency_calls, cost)
        return Gathered(
            edge=local.spec,
            edge_digest=_digest_of(local) or "",
            scores=outputs[name],
            score_kind=kind,
            outputs=outputs,
            inputs=feed,
            cloud=asking.ref,
            cloud_digest=asking.digest,
            cloud_index=probs.argmax(axis=1),
            cost=cost,
            row_bytes=_body_bytes({each: array[:1] for each, array in travelling.items()}),
            edge_s=_edge_latency(local, feed),
            cloud_s=cloud_s,
            notes=asking.notes(cost),
        )


def _run_edge(edge: Model, feed: Feed, batch_rows: int) -> dict[str, Array]:
    names = [each.name for each in edge.spec.outputs]
    parts = [edge.run(_slice(feed, at, batch_rows)) for at in range(0, _count(feed), batch_rows)]
    return {name: np.concatenate([np.asarray(part[at]) for part in parts]) for at, name in enumerate(names)}


def _edge_latency(edge: Model, feed: Feed) -> Latency:
    took_s = []
    for at in range(min(TIMED_ROWS, _count(feed))):
        row = _slice(feed, at, 1)
        began_s = time.perf_counter()
        edge.run(row)
        took_s.append(time.perf_counter() - began_s)
    return _latency(took_s)


def _latency(took_s: list[float]) -> Latency:
    p50, p99 = np.percentile(took_s, [50, 99])
    return Latency(float(p50), float(p99), len(took_s))


def _travelling(feed: Feed, to_cloud: Callable[[Array], Array] | None) -> dict[str, Array]:
    if to_cloud is None:
        return dict(feed)
    return {name: np.asarray(to_cloud(array)) for name, array in feed.items()}


@contextlib.contextmanager
def _asked(cloud: Upstream | Model | Function) -> Iterator[Upstream]:
    """The cloud as an Upstream; one that was made here is closed here."""
    upstream = upstream_of(cloud)
    try:
        yield upstream
    finally:
        if upstream is not cloud:
            upstream.close()


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
        edge: ModelSpec,
        classes: int,
        label_map: Mapping[str, str] | None,
        timeout_s: float,
    ) -> None:
        self._upstream = upstream
        self._timeout_s = timeout_s
        self._url = given.url if isinstance(given, RemoteCloud) else None
        self._spec = given.wait_ready(timeout_s) if isinstance(given, RemoteCloud) else upstream.spec
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

    def ask(
        self, feed: Feed, store: AnswerStore | None, batch_rows: int, progress: Progress | None
    ) -> tuple[Array, CloudCost]:
        """Class probabilities `[rows, classes]`, and what they cost."""
        keys = list(row_keys(feed))
        first = {key: at for at, key in reversed(list(enumerate(keys)))}  # equal rows are asked about once
        kept = {} if store is None else store.get(list(first))
        known = {key: kept_row.scores for key, kept_row in kept.items()}
        missing = np.asarray(sorted(at for key, at in first.items() if key not in known), dtype=np.int64)
        oldest_s = min((row.asked_s for row in kept.values()), default=None)
        step = _step(feed, batch_rows)
        calls = bytes_up = 0
        for start in range(0, len(missing), step):
            if progress is not None:
                progress(start, len(missing))
            part = missing[start : start + step]
            body = {name: array[part] for name, array in feed.items()}
            try:
                probs = self._call(body, len(part))
            except HaloclineError as exc:
                raise type(exc)(exc.code, f"{exc.message} {_so_far(start, len(missing), store)}") from None
            calls += 1
            bytes_up += _body_bytes(body)
            came = {keys[at]: row for at, row in zip(part.tolist(), probs, strict=True)}
            known |= came
            if store is not None:
                store.put(came)
        if progress is not None:
            progress(len(missing), len(missing))
        cost = CloudCost(
            rows_asked=len(missing),
            rows_known=len(keys) - len(missing),
            calls=calls,
            bytes_up=bytes_up,
            oldest_s=oldest_s,
        )
        return np.stack([known[key] for key in keys]), cost

    def time(self, feed: Feed, calls: int, cost: CloudCost) -> tuple[Latency | None, CloudCost]:
        """How long one row takes, and the cost with these calls in it."""
        calls = min(calls, _count(feed))
        if calls < 1:
            return None, cost
        took_s, bytes_up = [], 0
        for at in range(calls):
            row = _slice(feed, at, 1)
            began_s = time.perf_counter()
            self._call(row, 1)
            took_s.append(time.perf_counter() - began_s)
            bytes_up += _body_bytes(row)
        return _latency(took_s), msgspec.structs.replace(
            cost,
            rows_asked=cost.rows_asked + calls,
            calls=cost.calls + calls,
            bytes_up=cost.bytes_up + bytes_up,
        )

    def _call(self, feed: Feed, rows: int) -> Array:
        failed: Failed | None = None
        for attempt in range(TRIES):
            verdict = self._upstream.call(
                feed, call_id=f"tune-{time.time_ns()}", until_s=time.monotonic() + self._timeout_s
            )
            if not isinstance(verdict, Failed):
                read = self._reader.read(verdict, self._spec, rows)
                if isinstance(read, CloudRows):
                    self._same_model(read.model)
                    assert read.rows.probs is not None  # the edge classifies
                    return np.ascontiguousarray(read.rows.probs, dtype=np.float64)
                raise _error_of(read, self._place, is_here=self._url is None)
            failed = verdict
            if verdict.retry_after_s is None or attempt + 1 == TRIES:
                break
            time.sleep(min(verdict.retry_after_s, LONGEST_REST_S))
        assert failed is not None
        raise _error_of(failed, self._place, is_here=self._url is None)

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
        read_as = f"{spec.score_kind} {spec.score_output}"
        order = (
            f"{edge.labels if mapping is not None else None} {None if mapping is None else mapping.tolist()}"
        )
        return f"{self._url or self.digest} {spec.ref if self._url else ''} {read_as} {order}"


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


def _so_far(done: int, rows: int, store: AnswerStore | None) -> str:
    if not done or store is None:
        return f"{done} of {rows} rows were answered"
    return f"{done} of {rows} rows are answered and kept: the next run goes on from there"


def _step(feed: Feed, batch_rows: int) -> int:
    row_bytes = max(1, sum(array.nbytes for array in feed.values()) // _count(feed))
    return max(1, min(batch_rows, BATCH_BYTES // row_bytes))


def _body_bytes(feed: Feed) -> int:
    """A request body for these rows, by the protocol; what a cloud in this process would have been sent."""
    return oip.encode_request(feed, request_id="0" * 36, binary=True).total_bytes


def _slice(feed: Feed, at: int, rows: int) -> dict[str, Any]:
    return {name: array[at : at + rows] for name, array in feed.items()}


def _count(feed: Feed) -> int:
    return len(next(iter(feed.values())))
