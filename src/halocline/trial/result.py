"""What a trial found, as one value that a page, a table and JSON are made of."""

from pathlib import Path
from typing import Any

import msgspec

from halocline.decide.worth import Verdict
from halocline.errors import Misconfigured
from halocline.prices import Prices
from halocline.records import Array
from halocline.stats.bounds import Estimate
from halocline.trial.link import LinkModel
from halocline.trial.samples import Moves, Sample
from halocline.trial.timing import Timing
from halocline.trial.ways import Way
from halocline.tuning.desk import CloudCost
from halocline.tuning.evaluation import Evaluation
from halocline.tuning.gathered import Latency
from halocline.tuning.tuned import Tuned


class Commands(msgspec.Struct, frozen=True):
    """What repeats this, and what to do next: each a line to type, and what it is for."""

    repeat: str
    following: tuple[tuple[str, str], ...]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the rows given, of those that chose the threshold, and of those it is shown on."""

    rows: int
    rows_chosen_on: int
    rows_shown_on: int
    groups: int | None
    groups_chosen_on: int | None
    groups_shown_on: int | None
    has_labels: bool
    seed: int


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long each part takes: both tiers as measured here, the link as modelled.

    `prepare_s` is what a raw sample takes to become a tensor, once for each tier that is asked; None where
    rows came as tensors.
    """

    prepare_s: Latency | None
    edge_s: Latency
    cloud: Timing
    link: LinkModel
    link_s: float
    """What the link adds to a call, with the payload of one row."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Whether these two models are worth running together, on these rows, with all that speaks for it.

    The threshold in `tuned` was chosen on one half of the rows; `evaluation` and every figure here come
    from the other half. `samples` are rows of it that go up. `up_bytes` is the request body of one row,
    `is_remote` whether the cloud is behind a URL.
    """

    made: str
    edge: str
    cloud: str
    is_remote: bool
    verdict: Verdict
    tolerance: float
    data: Data
    cloud_alone: Way
    tiered: Way
    edge_alone: Way
    escalated: Estimate
    lost: Estimate
    gain: Estimate
    edge_gain: Estimate
    moves: Moves
    times: Times
    up_bytes: int
    calls_per_day: int
    prices: Prices
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    asked: CloudCost
    commands: Commands
    tuned: Tuned
    evaluation: Evaluation

    def as_dict(self) -> dict[str, Any]:
        """Every figure of the page by name, for JSON; pictures are left out."""
        own = {name: getattr(self, name) for name in Trial.__struct_fields__}
        del own["tuned"], own["evaluation"], own["samples"]
        curve = self.evaluation.curve
        return {
            **own,
            "task": self.evaluation.task,
            "saved": self.evaluation.saved,
            "threshold": self.tuned.policy.threshold,
            "temperature": self.tuned.policy.temperature,
            "share": self.tuned.policy.share,
            "promise": self.tuned.promise,
            "promise_check": self.evaluation.promise,
            "calibration_error": self.evaluation.calibration_error,
            "curve": {
                "threshold": _listed(curve.threshold),
                "escalated": _listed(curve.escalated),
                "accuracy": _listed(curve.accuracy),
                "lost": _listed(curve.loss),
            },
            "baselines": curve.baselines,
            "recall": {
                "edge": self.evaluation.edge.recall,
                "cloud": self.evaluation.cloud.recall,
                "tiered": self.evaluation.tiered.recall,
            },
            "measures": self.evaluation.measures,
            "samples_shown": len(self.samples),
            "samples": [_plain(sample) for sample in self.samples],
        }

    def html(self) -> str:
        """The page: one file that needs no network, no script and no other file."""
        from halocline.trial.page import page_of

        return page_of(self)

    def save_html(self, path: str | Path) -> Path:
        """Write the page. Raises Misconfigured (HAL-342) where it cannot be written."""
        where = Path(path)
        try:
            where.write_text(self.html(), encoding="utf-8")
        except OSError as exc:
            raise Misconfigured(
                "HAL-342", f"{where} cannot be written: {exc.strerror}. Try --out FILE in a folder of yours"
            ) from None
        return where

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that a notebook's style and the page's do not mix."""
        from html import escape

        style = "width:100%;height:46rem;border:1px solid #8884;border-radius:8px"
        return f'<iframe srcdoc="{escape(self.html())}" style="{style}" title="halocline try"></iframe>'

    def __repr__(self) -> str:
        return f"<Trial of {self.edge} and {self.cloud} on {self.data.rows} rows: {self.verdict.told}>"


def _listed(values: Array) -> list[float]:
    return [float(each) for each in values]


def _plain(sample: Sample) -> dict[str, Any]:
    """A sample without its picture, but with the numbers that the page shows of it."""
    from halocline.trial.look import Lines, Values

    named: dict[str, Any] = {
        name: getattr(sample, name) for name in Sample.__struct_fields__ if name != "look"
    }
    if isinstance(sample.look, Values):
        named["values"] = sample.look.values
    if isinstance(sample.look, Lines):
        named |= {"low": sample.look.low, "high": sample.look.high}
    return named
