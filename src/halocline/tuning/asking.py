"""Ask one cloud about rows: how it reads them, who answers, what is asked again, what its failures mean."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from halocline.edge.arguments import upstream_of
from halocline.edge.placing import in_picture, is_fitted
from halocline.edge.reading import CloudReader, CloudRows, Rows
from halocline.errors import HaloclineError, Rejected, Transient, Untrusted
from halocline.ports import Answered, Failed, Feed, Function, Model, Upstream
from halocline.records import Array, ModelRef, ModelSpec, Reason, Task
from halocline.tuning.desk import CloudCost, body_bytes
from halocline.tuning.gathered import Latency, latency_of
from halocline.tuning.intake import Intake, Ready, count
from halocline.tuning.said import packed, unpacked

LONGEST_REST_S = 60.0
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


@contextlib.contextmanager
def opened(cloud: Upstream | Model | Function) -> Iterator[Upstream]:
    """The cloud as an Upstream; one that was made here is closed here."""
    upstream = upstream_of(cloud)
    try:
        yield upstream
    finally:
        if upstream is not cloud:
            upstream.close()


def spec_of(given: object, upstream: Upstream, timeout_s: float) -> ModelSpec | None:
    """What the cloud says of itself; one behind a URL is waited for."""
    return given.wait_ready(timeout_s) if isinstance(given, RemoteCloud) else upstream.spec


class Asking:
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
        self.digest = None if self._url is not None else digest_of(given)
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
        return latency_of(took_s), msgspec.structs.replace(
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


def digest_of(model: object) -> str | None:
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
