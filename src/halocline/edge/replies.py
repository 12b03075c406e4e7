"""Build replies, corrections and outcomes from what the models said."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from halocline.edge.reading import CloudRows, EdgeReader, Rows
from halocline.edge.sending import Going, samples_of
from halocline.records import (
    Array,
    Correction,
    ModelRef,
    ModelSpec,
    Outcome,
    Owner,
    Prediction,
    Reason,
    Reply,
    Request,
    Tier,
)

if TYPE_CHECKING:
    from halocline.edge.placing import Place
    from halocline.inputs.description import Input


class Timing(msgspec.Struct, frozen=True):
    """Seconds that the edge run and the gate took; None where they did not run."""

    edge_s: float | None
    gate_s: float | None


class Replies:
    """Replies in the words of one edge model: its labels, its class order."""

    def __init__(
        self,
        edge: ModelSpec,
        reader: EdgeReader,
        place: "Place | None",
        sends_files: "Callable[[Going], bool]",
    ) -> None:
        self._edge = edge
        self._place = place
        self._sends_files = sends_files
        self._labels = edge.labels
        self._reader = reader
        self._score_at = reader.score_at
        self._row_probabilities = reader.row_probabilities
        self._output_names = [output.name for output in edge.outputs]

    def confident(
        self,
        request_id: str,
        index: int,
        confidence: float,
        outputs: Sequence[Array],
        timing: Timing,
        cloud: ModelRef | None,
        owner: Owner,
        novelty: float | None,
    ) -> Reply:
        """The edge reply of the shortest path: one row, its class and confidence known."""
        label = self._labels[index] if self._labels is not None else None
        raw = outputs[self._score_at][0]
        read = self._row_probabilities
        return Reply(
            id=request_id,
            value=index if label is None else label,
            confidence=confidence,
            tier=Tier.EDGE,
            reason=Reason.CONFIDENT,
            degraded=False,
            index=index,
            label=label,
            scores=raw if read is None else read(raw),
            outputs={name: array[0] for name, array in zip(self._output_names, outputs, strict=True)},
            edge_s=timing.edge_s,
            gate_s=timing.gate_s,
            cloud_s=None,
            edge_model=self._edge.ref,
            cloud_model=cloud,
            policy=owner,
            novelty=novelty,
        )

    def of_edge(
        self,
        request_id: str,
        rows: Rows,
        at: int,
        reason: Reason,
        timing: Timing,
        cloud: ModelRef | None,
        owner: Owner,
        novelty: float | None,
    ) -> Reply:
        """The edge's answer to one row, for any reason."""
        said = self._prediction(rows, at, self._edge.ref)
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
            cloud_model=cloud,
            task=said.task,
            policy=owner,
            novelty=novelty,
        )

    def of_cloud(
        self,
        request_id: str,
        cloud: CloudRows,
        at: int,
        reason: Reason,
        timing: Timing,
        owner: Owner,
        novelty: float | None,
    ) -> Reply:
        """The cloud's answer to one row."""
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
            edge_model=self._edge.ref,
            cloud_model=cloud.model,
            task=said.task,
            policy=owner,
            novelty=novelty,
        )

    def in_pictures(self, rows: Rows, going: Going) -> Rows:
        """What the edge said of these rows, boxes in fractions of the pictures (see `edge/placing.py`)."""
        return rows if rows.values is None else self._placed(rows, self._edge.input, going)

    def cloud_in_pictures(self, cloud: CloudRows, going: Going) -> CloudRows:
        """The same of what the cloud said; one that was sent the file may have done it."""
        if cloud.rows.values is None or (cloud.of_sent and self._sends_files(going)):
            return cloud
        return msgspec.structs.replace(cloud, rows=self._placed(cloud.rows, cloud.input, going))

    def _placed(self, rows: Rows, told: "Input | None", going: Going) -> Rows:
        from halocline.edge.placing import in_pictures  # a classifier need not load it

        return in_pictures(rows, told, samples_of(going, self._edge), self._place)

    def corrections(
        self,
        cloud: CloudRows,
        ids: Sequence[str],
        replied: Sequence[Any],
        probability: float | None = None,
    ) -> Iterator[Correction]:
        """The cloud's late verdicts on rows that were answered with the values `replied`.

        `probability` is that of the spot check that they are.
        """
        for at, (request_id, value) in enumerate(zip(ids, replied, strict=True)):
            said = self._prediction(cloud.rows, at, cloud.model)
            if cloud.rows.values is None:
                same = said.index is not None and said.value == value
            else:
                same = is_same(said.value, value)
            yield Correction(
                id=request_id,
                prediction=said,
                replied=value,
                changed=not same,
                cloud_s=cloud.elapsed_s,
                probability=probability,
            )

    def value(self, rows: Rows, at: int) -> Any:
        """What a reply calls `value`: the label, or the class index without labels.

        None where the scores hold NaN; the row's outputs where the model has no class scores. Of a task
        other than classification it is what that task's reader gave.
        """
        if rows.values is not None:
            return rows.values[at]
        index = int(rows.index[at])
        if index >= 0:
            return index if self._labels is None else self._labels[index]
        return None if rows.probs is not None else _row_of(rows, at)

    def _prediction(self, rows: Rows, at: int, model: ModelRef) -> Prediction:
        index = int(rows.index[at])
        known = index >= 0
        return Prediction(
            value=self.value(rows, at),
            confidence=max(float(rows.confidence[at]), 0.0),
            model=model,
            task=self._edge.task,
            index=index if known else None,
            label=self._labels[index] if known and self._labels is not None else None,
            scores=None if rows.probs is None else rows.probs[at],
            outputs=_row_of(rows, at),
        )


def is_same(one: Any, other: Any) -> bool:
    """Whether two answers of a task other than classification say the same (see `decide/tasks/same.py`)."""
    from halocline.decide.tasks import same  # a classifier need not load it

    return same.is_same(one, other)


def outcome_of(reply: Reply, request: Request | None) -> Outcome:
    """What is recorded of a reply; no payload."""
    return Outcome(
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
        policy=reply.policy,
        novelty=reply.novelty,
    )


def _row_of(rows: Rows, at: int) -> dict[str, Array]:
    return {name: array[at] for name, array in rows.outputs.items()}
