"""Ask both tiers about rows of data: what each says of every row, and what asking took."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from halocline.decide.gate import NO_CONFIDENCE, Policy
from halocline.edge.arguments import edge_of
from halocline.edge.placing import in_pictures
from halocline.edge.reading import EdgeReader, Rows
from halocline.edge.sending import Send, Sender
from halocline.errors import Misconfigured
from halocline.folders import cache_folder
from halocline.ports import Feed, Function, Model, Upstream
from halocline.records import Array, ModelSpec, Task
from halocline.tuning.asking import Asking, digest_of, opened, spec_of
from halocline.tuning.desk import Desk, Progress, body_bytes
from halocline.tuning.gathered import Gathered, Latency, latency_of, told_left_out, verdicts
from halocline.tuning.intake import Intake, Ready, count, joined, sliced
from halocline.tuning.said import Said
from halocline.tuning.store import AnswerStore
from halocline.tuning.truth import VERDICTS

Check: TypeAlias = Callable[[ModelSpec, int, int], None]
"""Called with the edge model, its classes and the rows before the cloud is asked; raises what is wrong."""

Cache: TypeAlias = Path | str | bool | None
"""A folder for the cloud's answers; None or True: the user's cache folder; False: keep none."""

BATCH_ROWS = 256
TIMED_ROWS = 100


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
    with opened(cloud) as upstream:
        spec = spec_of(cloud, upstream, timeout_s)  # what travels depends on it
        sender = partial(Sender, upstream, local.spec, to_cloud=to_cloud)
        chunks = intake.chunks(sender(send=Send.TENSOR), min(batch_rows, BATCH_ROWS))
        run = _run_edge(local, reader, intake, chunks)
        first = next(run)
        classes = known
        if reader.task is None:
            classes = int(_scores(first.outputs, reader).shape[1])
            if check is not None:
                check(local.spec, classes, intake.rows)
        asking = Asking(upstream, cloud, spec, local.spec, classes, label_map, timeout_s)
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
            edge_digest=digest_of(local) or "",
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


def _edge_latency(edge: Model, feed: Feed) -> Latency:
    took_s = []
    for at in range(min(TIMED_ROWS, count(feed))):
        row = sliced(feed, at, 1)
        began_s = time.perf_counter()
        edge.run(row)
        took_s.append(time.perf_counter() - began_s)
    return latency_of(took_s)


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
