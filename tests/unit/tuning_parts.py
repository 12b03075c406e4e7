"""A small edge model of numpy, clouds that count what they are asked, and rows to tune on."""

import numpy as np

from halocline.ports import Answered, Failed
from halocline.records import ModelRef, ModelSpec, Reason, ScoreKind, TensorSpec

LABELS = ("N", "S", "V")


class EdgeModel:
    """Gives its input back as the probabilities of three classes; implements `halocline.ports.Model`."""

    def __init__(self, labels=LABELS, digest="sha256:edge"):
        self.digest = digest
        self.spec = ModelSpec(
            ref=ModelRef("edge", "1"),
            inputs=(TensorSpec("x", "float32", (-1, 3)),),
            outputs=(TensorSpec("p", "float32", (-1, 3)), TensorSpec("f", "float32", (-1, 2))),
            labels=labels,
            score_output="p",
            score_kind=ScoreKind.PROBABILITIES,
        )

    def conform(self, sample):
        return {"x": np.asarray(sample, np.float32).reshape(1, 3)}

    def conform_batch(self, batch):
        return {"x": np.asarray(batch, np.float32)}

    def run(self, feed):
        return [feed["x"], feed["x"][:, :2]]


class Cloud:
    """An Upstream behind a made-up URL that answers by a table, and counts; fails from a call on."""

    url = "https://cloud/v2/models/m"

    def __init__(self, probs_of, *, version="1", labels=LABELS, fails_from=None, refuses=0):
        self.spec = ModelSpec(
            ref=ModelRef("m", version),
            inputs=(TensorSpec("x", "float32", (-1, 3)),),
            outputs=(TensorSpec("p", "float32", (-1, 3)),),
            labels=labels,
            score_output="p",
            score_kind=ScoreKind.PROBABILITIES,
        )
        self.probs_of = probs_of
        self.rows = []
        self.fails_from = fails_from
        self.refuses = refuses

    def wait_ready(self, timeout_s):
        return self.spec

    def call(self, feed, *, call_id, until_s, on_late=None):
        if self.refuses:
            self.refuses -= 1
            return Failed(reason=Reason.REFUSED, detail="status 429: later", retry_after_s=0.0, status=429)
        if self.fails_from is not None and len(self.rows) >= self.fails_from:
            return Failed(reason=Reason.UNREACHABLE, detail="no route")
        self.rows.append(len(feed["x"]))
        return Answered(outputs={"p": self.probs_of(feed["x"])}, model=self.spec.ref, elapsed_s=0.001)

    def send(self, feed, *, call_id, on_verdict):
        raise AssertionError("tuning waits for its answers")

    def close(self):
        raise AssertionError("a cloud that was given is not closed")


def rows(n, *, seed=0, wrong=0.1):
    """Probabilities `[n, 3]` of the edge, true classes `[n]`, and one-hot answers of a better cloud.

    The edge is wrong in this share of rows, the less sure the more; the cloud in a fifth of those.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    sure = 1 - rng.beta(1, 6, n) * 0.6
    said = np.where(rng.random(n) < (1 - sure) * wrong * 10, (truth + 1) % 3, truth)
    x = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    x[np.arange(n), said] = sure
    cloud = np.where(rng.random(n) < wrong / 5, (truth + 2) % 3, truth)
    return x.astype(np.float32), truth, np.eye(3, dtype=np.float32)[cloud]


def table(x, answers):
    """A function from rows to the answers that belong to them."""
    known = {row.tobytes(): answer for row, answer in zip(x, answers, strict=True)}
    return lambda batch: np.stack([known[row.tobytes()] for row in np.asarray(batch, np.float32)])
