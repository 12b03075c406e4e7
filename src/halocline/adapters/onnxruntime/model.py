"""A model that ONNX Runtime runs in this process."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from halocline.adapters.onnxruntime.inputs import intake_of, show
from halocline.adapters.onnxruntime.providers import Force
from halocline.adapters.onnxruntime.scores import Scores
from halocline.decide.scores import probabilities
from halocline.edge.sending import Going, going_of, going_of_one
from halocline.errors import Misconfigured
from halocline.ports import Feed
from halocline.records import Array, ModelSpec, Prediction, ScoreKind, Task

if TYPE_CHECKING:
    from halocline.inputs.description import ImageInput
    from halocline.inputs.placement import Placement
    from halocline.wire.model_file import Description


class OnnxModel:
    """A loaded model; implements `halocline.ports.Model`. Made by `load`. Thread-safe."""

    def __init__(
        self,
        session: Any,
        spec: ModelSpec,
        *,
        scores: Scores,
        force: Force,
        warmup_s: float | None,
        allow_nan: bool,
        keep: object = None,
        description: "Description | None" = None,
    ) -> None:
        self.spec = spec
        self.provider = force
        """The execution provider in force, and why it is that one."""
        self.scores = scores
        """Which output holds the class scores, what they are, and how that is known."""
        self.warmup_s = warmup_s
        """Seconds that the first run took, or None where no run on made-up values was possible."""
        intake = intake_of(spec, allow_nan=allow_nan)
        self._one = intake.one
        self._many = intake.many
        self._run = session.run
        self._names = [each.name for each in spec.outputs]
        # ONNX Runtime reads weights from the caller's buffer for as long as the session lives.
        self._keep = (session, keep)
        self._source = keep
        self.description = description
        """What the model's file does not say itself, where somebody has written it."""

    @property
    def digest(self) -> str:
        """`sha256:…` of the model's file or bytes, empty where there are none; worked out at first use.

        A description is part of it: with another one, the same file gives other answers. Weights kept in
        files beside the model's are not. Raises Misconfigured (HAL-201) where the file is gone.
        """
        if not self.spec.digest and isinstance(self._source, str | bytes):
            digest = _digest(self._source)
            if self.description is not None:
                from halocline.wire.model_file import described_digest  # a bare model needs none

                digest = described_digest(digest, self.description)
            self.spec = msgspec.structs.replace(self.spec, digest=digest)
        return self.spec.digest

    def conform(self, sample: Any) -> dict[str, Array]:
        """Check one sample, with or without its batch axis, and give the feed of one row.

        A model with an [input] prepares a raw sample: a path, the bytes of a JPEG, PNG or WAV, pixels,
        samples of sound, rows of a series. Ready tensors are given to it by input name: `{"x": tensor}`.
        Raises Rejected (HAL-301, HAL-302, HAL-303; of raw samples HAL-310 … HAL-316) saying what was
        expected, what came, what to try.
        """
        return self._one(sample)

    def conform_batch(self, batch: Any) -> dict[str, Array]:
        """Check a batch of one row or more and give its feed. Raises as `conform` does, naming the row."""
        return self._many(batch)

    def run(self, feed: Feed) -> list[Array]:
        """The outputs, in the order of `spec.outputs`, for a feed that `conform` or `conform_batch` gave."""
        outputs: list[Array] = self._run(self._names, feed)
        return outputs

    def predict(self, sample: Any) -> Prediction:
        """What the model says of one sample. Raises as `conform` and `require_scores` do."""
        feed = self.conform(sample)
        if self.spec.task is not Task.CLASSIFY:
            return self._task_predictions(feed, going_of_one(sample, feed, self.spec))[0]
        return self._predictions(feed)[0]

    def predict_batch(self, batch: Any) -> list[Prediction]:
        """What the model says of each row. Raises as `conform_batch` and `require_scores` do."""
        if isinstance(batch, Iterator):
            batch = list(batch)  # it is looked at twice
        feed = self.conform_batch(batch)
        if self.spec.task is not Task.CLASSIFY:
            return self._task_predictions(feed, going_of(batch, feed, self.spec))
        return self._predictions(feed)

    def placement(self, sample: Any, told: "ImageInput") -> "Placement":
        """Where that raw picture comes to lie in the tensor of that description. Raises Rejected."""
        from halocline.adapters.decoders import decoders
        from halocline.inputs.prepare import placement_of

        return placement_of(sample, told, decoders())

    def require_scores(self) -> tuple[int, ScoreKind]:
        """Where the class scores are among the outputs, and what they are.

        Raises Misconfigured (HAL-202) where neither the graph nor the caller has said it.
        """
        if self.scores.kind is None or self.scores.output is None:
            outputs = ", ".join(f"{each.name} {show(each)}" for each in self.spec.outputs)
            raise Misconfigured(
                "HAL-202",
                f"{self.spec.ref}: no telling what its scores are ({self.scores.how}); it gives {outputs}. "
                f"Say it when loading: scores='logits' or scores='probabilities', with score_output=NAME "
                f"where it has several outputs; or its task: task=DetectOutput(…), RegressOutput(…), "
                f"ScoreOutput(…)",
            )
        return self._names.index(self.scores.output), self.scores.kind

    def __repr__(self) -> str:
        spec = self.spec
        takes = ", ".join(f"{each.name} {show(each)}" for each in spec.inputs)
        gives = ", ".join(f"{each.name} {show(each)}" for each in spec.outputs)
        kind = f"scores: {self.scores.kind.value if self.scores.kind else 'unknown'}"
        kind = f"{kind} ({self.scores.how})" if spec.task is Task.CLASSIFY else f"task: {spec.task}"
        labels = f"{len(spec.labels)} labels" if spec.labels else "no labels"
        return (
            f"<OnnxModel {spec.ref}: {takes} -> {gives}; {kind}; {labels}; "
            f"runs on {self.provider.short} ({self.provider.why})>"
        )

    def _task_predictions(self, feed: Feed, going: Going) -> list[Prediction]:
        from halocline.adapters.onnxruntime.task import task_predictions  # a classifier need not load it

        return task_predictions(self.spec, self.run(feed), going, self.placement)

    def _predictions(self, feed: Feed) -> list[Prediction]:
        at, kind = self.require_scores()
        outputs = self.run(feed)
        scores = probabilities(outputs[at], kind)
        labels = self.spec.labels
        predictions = []
        for row, index in enumerate(scores.argmax(axis=1).tolist()):
            label = labels[index] if labels else None
            predictions.append(
                Prediction(
                    value=index if label is None else label,
                    confidence=float(scores[row, index]),
                    model=self.spec.ref,
                    index=index,
                    label=label,
                    scores=scores[row],
                    outputs={name: output[row] for name, output in zip(self._names, outputs, strict=True)},
                )
            )
        return predictions


def _digest(source: str | bytes) -> str:
    import hashlib  # loads OpenSSL, which a start need not pay

    if isinstance(source, bytes):
        return f"sha256:{hashlib.sha256(source).hexdigest()}"
    try:
        with open(source, "rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as exc:
        raise Misconfigured(
            "HAL-201", f"{source} cannot be read any more ({exc.strerror}), so its digest is not known"
        ) from None
