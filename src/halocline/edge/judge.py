"""Say of each row whether it is sure enough, under the policy in force, which may move as it is used."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from halocline.decide.gate import Policy, sureness_of, sureness_of_row, thresholds_of
from halocline.edge.reading import Rows
from halocline.errors import Misconfigured
from halocline.ports import Feed
from halocline.records import Array, ModelSpec, Owner

if TYPE_CHECKING:
    from halocline.decide.latest import Latest
    from halocline.decide.track import Tracker


class Judged(msgspec.Struct, frozen=True):
    """A batch as judged: which rows want up (bool), how sure each is (see `sureness_of`), how far away.

    `novelty` is None where the policy does not ask for it; `owner` set the threshold that decided.
    """

    unsure: Array
    sureness: Array
    novelty: Array | None
    owner: Owner


class Judge:
    """One policy at work. Thread-safe.

    Raises Misconfigured (HAL-102) where the policy's novelty reads what the edge model does not have.
    """

    def __init__(self, policy: Policy, owner: Owner, edge: ModelSpec) -> None:
        self.owner = owner
        self._policy = policy
        self._everything_up = False
        self._lock = threading.Lock()
        self._tracker: Tracker | None = None
        if policy.share is not None:
            from halocline.decide import latest, track  # only where it is asked for

            self._track = track
            self._tracker = track.start(policy.threshold)
            self._latest = latest
            self._seen = latest.Latest()
        self._novelty = policy.novelty
        if policy.novelty is not None:
            from halocline.stats.novelty import distance_reader, distances  # only where it is asked for

            self._output_at = _output_at(policy, edge)
            self._distance = distance_reader(policy.novelty)
            self._distances = distances

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    @property
    def threshold(self) -> float:
        """The threshold in force; infinite where everything goes up."""
        if self._everything_up:
            return float("inf")
        tracker = self._tracker
        return self._policy.threshold if tracker is None else self._track.threshold_of(tracker)

    @property
    def seen(self) -> "Latest | None":
        """How many of the latest rows wanted up; None where the policy holds no share."""
        return None if self._tracker is None else self._seen

    @property
    def is_plain(self) -> bool:
        """Whether a row is judged by nothing but a comparison with fixed thresholds."""
        return self._tracker is None and self._novelty is None and self._policy.personal is None

    def take(self, policy: Policy, owner: Owner, *, everything_up: bool = False) -> None:
        """Go on with this policy, which differs in its threshold; `everything_up` sends each row up."""
        self._policy, self.owner, self._everything_up = policy, owner, everything_up

    def row(
        self, index: int, confidence: float, feed: Feed, outputs: Sequence[Array]
    ) -> tuple[bool, float, float | None]:
        """Of one row: whether it wants up, how sure it is, how far away it is (None: not asked)."""
        policy, novelty = self._policy, None
        sureness = confidence
        if self._novelty is not None:
            at = self._output_at
            features = next(iter(feed.values())) if at is None else outputs[at]
            novelty = self._distance(features[0])
            sureness = sureness_of_row(confidence, novelty, self._novelty.cut)
        own = policy.class_thresholds.get(index) if policy.class_thresholds else None
        if self._tracker is None:
            enough = policy.threshold if own is None else own
            return self._everything_up or sureness < enough, sureness, novelty
        assert policy.share is not None
        with self._lock:
            up = self._track.wants_up(self._tracker, sureness) if own is None else sureness < own
            self._tracker = self._track.moved(self._tracker, policy.share, up=up)
            self._seen = self._latest.counted(self._seen, 1, int(up))
        return up, sureness, novelty

    def rows(self, rows: Rows, feed: Feed, threshold: float | None) -> Judged:
        """Of a batch; `threshold` is this request's own, which moves nothing."""
        policy, novelty = self._policy, None
        if self._novelty is not None:
            name = self._novelty.output
            novelty = self._distances(
                self._novelty, rows.outputs[name] if name else next(iter(feed.values()))
            )
        sureness = sureness_of(rows.confidence, novelty, 0.0 if self._novelty is None else self._novelty.cut)
        if threshold is not None:
            return Judged(sureness < threshold, sureness, novelty, Owner.REQUEST)
        if self._tracker is None:
            enough = float("inf") if self._everything_up else thresholds_of(rows.index, policy)
            return Judged(sureness < enough, sureness, novelty, self.owner)
        assert policy.share is not None
        own = None
        if policy.class_thresholds:
            own = np.asarray([policy.class_thresholds.get(each, np.nan) for each in rows.index.tolist()])
        with self._lock:
            unsure, self._tracker = self._track.track(self._tracker, policy.share, sureness, own)
            self._seen = self._latest.counted(self._seen, len(unsure), int(unsure.sum()))
        return Judged(unsure, sureness, novelty, self.owner)


def _output_at(policy: Policy, edge: ModelSpec) -> int | None:
    """Which output novelty is read from; None for the input."""
    assert policy.novelty is not None
    name, width = policy.novelty.output, policy.novelty.means.shape[1]
    if name:
        names = [each.name for each in edge.outputs]
        if name not in names:
            raise Misconfigured(
                "HAL-102",
                f"the policy measures novelty on the output {name!r}, which {edge.ref} does not have; "
                f"it gives {', '.join(names)}",
            )
        at, seen = names.index(name), edge.outputs[names.index(name)]
    elif len(edge.inputs) == 1:
        at, seen = None, edge.inputs[0]
    else:
        raise Misconfigured(
            "HAL-102",
            f"the policy measures novelty on the input, and {edge.ref} takes {len(edge.inputs)}; "
            "tune it on an output",
        )
    sizes = seen.shape[1:]
    if -1 not in sizes and int(np.prod(sizes)) != width:
        raise Misconfigured(
            "HAL-102",
            f"the policy measures novelty on {width} features, and {seen.name!r} of {edge.ref} has "
            f"{int(np.prod(sizes))}; tune again for this model",
        )
    return at
