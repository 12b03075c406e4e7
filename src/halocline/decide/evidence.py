"""What a threshold is tuned on: each row's confidence, and who was right."""

import msgspec
import numpy as np

from halocline.errors import Rejected
from halocline.records import Array

FEWEST_ROWS = 50
"""Below this, even the observed figures are mostly chance; nothing is refused, it is said."""
_MANY_COPIES = 0.02


class Evidence(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Rows that both tiers have answered, and that neither was trained on.

    `confidence` float `[n]` is the edge's, in [0, 1] (-1 where it had no answer), read with the
    temperature and score that the policy will have, fitted on other rows; `edge_index` int `[n]` is
    the class it gave. `edge_correct` and `cloud_correct` are bool `[n]`. Without labels
    `cloud_correct` is None, the cloud's answers are the truth, and `edge_correct` is agreement with it.
    `label` int `[n]` is the true class, `group` `[n]` (numbers or strings) the patient, speaker or
    device of a row. `row_id` `[n]` is a digest of each row's input, where known: equal ones are copies.
    """

    confidence: Array
    edge_index: Array
    edge_correct: Array
    cloud_correct: Array | None = None
    label: Array | None = None
    group: Array | None = None
    row_id: Array | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.confidence)

    @property
    def truth(self) -> str:
        """What right is measured against: "labels" or "cloud"."""
        return "cloud" if self.cloud_correct is None else "labels"

    @property
    def cloud_right(self) -> Array:
        """Whether the cloud's answer is right, bool `[n]`: always, where it is the truth."""
        return np.ones(self.rows, dtype=bool) if self.cloud_correct is None else self.cloud_correct

    @property
    def lost(self) -> Array:
        """Whether an answer at the edge loses against the cloud, bool `[n]`: wrong here, right there."""
        return ~self.edge_correct & self.cloud_right


def rows_of(evidence: Evidence, rows: Array) -> Evidence:
    """The evidence of these rows alone."""
    parts: dict[str, Array | None] = msgspec.structs.asdict(evidence)
    kept = {name: None if part is None else part[rows] for name, part in parts.items()}
    return msgspec.structs.replace(evidence, **kept)


def check_evidence(evidence: Evidence) -> None:
    """Raise Rejected (HAL-601) unless every array has a row for each row, and no confidence is NaN."""
    rows = evidence.rows
    if rows == 0:
        raise Rejected("HAL-601", "there are no rows to tune on")
    for name in ("confidence", "edge_index", "edge_correct", "cloud_correct", "label", "group", "row_id"):
        array = getattr(evidence, name)
        if array is not None and np.shape(array) != (rows,):
            raise Rejected("HAL-601", f"{name} must have the shape [{rows}], got {list(np.shape(array))}")
    for name in ("edge_correct", "cloud_correct"):
        array = getattr(evidence, name)
        if array is not None and array.dtype != np.bool_:
            raise Rejected("HAL-601", f"{name} must be bool, got {array.dtype}")
    confidence = evidence.confidence
    missing = int(np.isnan(confidence).sum())
    if missing:
        raise Rejected(
            "HAL-601",
            f"the confidence of {missing} of {rows} rows is NaN; leave them out, or give -1 (always goes up)",
        )
    if not (((confidence >= 0) & (confidence <= 1)) | (confidence == -1)).all():
        raise Rejected(
            "HAL-601", f"confidence must be in [0, 1], got {confidence.min():g} to {confidence.max():g}"
        )
    group = evidence.group
    if group is not None and group.dtype.kind == "f" and np.isnan(group).any():
        raise Rejected("HAL-601", f"the group of {int(np.isnan(group).sum())} of {rows} rows is NaN")


def doubts(evidence: Evidence) -> tuple[str, ...]:
    """What makes these rows a weak ground for any threshold, each in one plain line."""
    found = [
        _few(evidence),
        _copies(evidence),
        _one_class(evidence),
        _one_group(evidence),
        _one_sided(evidence),
    ]
    if evidence.truth == "cloud":
        found.append(
            "no labels: the cloud's answers are taken as the truth, so its own mistakes are not seen; "
            "accuracy means agreement with the cloud"
        )
    return tuple(line for line in found if line)


def _few(evidence: Evidence) -> str:
    if evidence.rows >= FEWEST_ROWS:
        return ""
    rows = "1 row" if evidence.rows == 1 else f"{evidence.rows} rows"
    return f"only {rows}: every figure here is mostly chance; some hundreds would do"


def _copies(evidence: Evidence) -> str:
    if evidence.row_id is not None:
        copies = evidence.rows - len(np.unique(evidence.row_id))
        if copies <= _MANY_COPIES * evidence.rows:
            return ""
        sure = "are copies of another row"
    else:
        copies = _likely_copies(evidence)
        if copies <= _MANY_COPIES * evidence.rows:
            return ""
        sure = "have the very confidence and answer of another row, as copies have"
    return (
        f"{copies} of {evidence.rows} rows {sure}: copies fake certainty, since they tell nothing new; "
        "leave them out, or give the same group to all copies of a row"
    )


def _likely_copies(evidence: Evidence) -> int:
    """How many rows repeat another's confidence, answer and outcome to the last bit.

    Not counted: saturated confidences, and models that know few values (small trees, 8 bits).
    """
    confidence = evidence.confidence
    inside = (confidence > 0) & (confidence < 1 - 1e-6)
    if len(np.unique(confidence[inside])) == inside.sum():
        return 0  # the common case, and the quick one
    told = np.stack([confidence, evidence.edge_index, evidence.edge_correct, evidence.cloud_right], axis=1)[
        inside
    ].astype(np.float64)
    distinct = len(np.unique(told, axis=0))
    is_coarse = distinct < max(4 * np.sqrt(len(told)), 0.05 * len(told)) and len(told) >= FEWEST_ROWS
    return 0 if is_coarse else len(told) - distinct


def _one_class(evidence: Evidence) -> str:
    if evidence.label is not None and len(np.unique(evidence.label)) == 1:
        return (
            f"every row is of class {evidence.label[0]}: the figures say nothing about the other classes; "
            "take rows of every class, as often as they occur"
        )
    return ""


def _one_group(evidence: Evidence) -> str:
    if evidence.group is not None and len(np.unique(evidence.group)) == 1:
        return f"every row is of the group {evidence.group[0]}: one group says nothing about new ones"
    return ""


def _one_sided(evidence: Evidence) -> str:
    if evidence.edge_correct.all():
        return (
            "the edge is right in every row, so any threshold looks perfect; "
            "check that it was not trained on these rows"
        )
    if not evidence.edge_correct.any():
        return "the edge is wrong in every row; check that its labels and the data's mean the same"
    if not evidence.lost.any():
        return (
            "the cloud is wrong wherever the edge is, so escalation gains nothing on these rows; "
            "check the cloud model and its labels"
        )
    return ""
