"""See to what follows a reply: a spot check that is sent, or what an escalation tells of the promise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from halocline.decide.spot_check import SpotCheck
from halocline.decide.watch import Promised, could_not_go_up
from halocline.edge import policies
from halocline.edge.checking import Spot, SpotChecks
from halocline.edge.corrections import Corrections
from halocline.edge.escalation import Escalation
from halocline.edge.judge import Judge, Judged
from halocline.edge.reading import CloudRows, Rows
from halocline.edge.replies import Replies, is_same
from halocline.edge.route import Route
from halocline.edge.sending import Going, some_of
from halocline.edge.watching import Watching
from halocline.errors import Misconfigured
from halocline.records import Anomaly, Boxes, Interval, Mode, Reason, Reply, Tier

if TYPE_CHECKING:
    from halocline.wire.policy_file import PolicyFile


_STAYED = (Reason.CONFIDENT, Reason.BUDGET)
"""An answer that the budget kept may be lost like any other; of a degraded one the cloud cannot tell."""


class _Drawn(msgspec.Struct, frozen=True):
    """An answer that is to be checked, and for how many rows it stands."""

    reply: Reply
    gap: int
    sureness: float


class Following:
    """What a policy that is watched does beside answering; it changes no reply. Thread-safe."""

    def __init__(
        self, watching: Watching, checks: SpotChecks | None, replies: Replies, corrections: Corrections
    ) -> None:
        self.watching = watching
        self.checks = checks
        self._replies = replies
        self._corrections = corrections

    def one(self, index: int, sureness: float, going: Going, reply: Reply) -> None:
        """After one reply; `index` is the class that the edge gave."""
        reason = reply.reason
        self.watching.answered(1, reason is not Reason.CONFIDENT and could_not_go_up(reason))
        gap = 0 if self.checks is None else self.checks.draw()
        if (gap or self.watching.every_row_is_a_check) and self._is_to_be_sent(gap, index, sureness, reply):
            self._send(going, [_Drawn(reply, gap, sureness)])

    def many(
        self,
        rows: Rows,
        judged: Judged | None,
        going: Going,
        replies: Sequence[Reply],
        threshold: float | None,
    ) -> None:
        """After a batch, of which `rows` is what the edge said; `threshold` is the request's own.

        `judged` is None where the mode decided, and not the gate: there is nothing to check then.
        """
        self.watching.answered(len(replies), sum(could_not_go_up(reply.reason) for reply in replies))
        if judged is None:
            return
        if threshold is not None:
            self.watching.overridden(threshold, len(replies))
            return
        drawn = [] if self.checks is None else self.checks.draw_among(len(replies))
        gaps = {each.at: each.gap for each in drawn}
        up: list[int] = []
        for at in range(len(replies)) if self.watching.every_row_is_a_check else gaps:
            gap, sureness = gaps.get(at, 0), float(judged.sureness[at])
            value = None if rows.values is None else rows.values[at]
            if self._is_to_be_sent(gap, int(rows.index[at]), sureness, replies[at], value):
                up.append(at)
        if up:
            self._send(
                some_of(going, up),
                [_Drawn(replies[at], gaps[at], float(judged.sureness[at])) for at in up],
            )

    def _is_to_be_sent(self, gap: int, index: int, sureness: float, reply: Reply, value: Any = None) -> bool:
        """Whether a row that was drawn needs a check; of one that went up, take what it tells.

        `value` is what the edge said of it, where its task is not classification.
        """
        if reply.tier is Tier.CLOUD:
            if reply.index is None and value is None:
                return False  # without classes there is no telling what is lost
            differs = index != reply.index if value is None else not is_same(value, reply.value)
            if gap:
                self.watching.checked(gap, sureness, stayed=False, differs=differs)
            else:
                self.watching.learn(sureness, differs=differs)
            return False
        if gap and reply.reason is Reason.PENDING:
            self.watching.went_up(gap)
        return bool(gap) and reply.reason in _STAYED

    def _send(self, going: Going, drawn: "Sequence[_Drawn]") -> None:
        assert self.checks is not None
        ids, replied = [each.reply.id for each in drawn], [each.reply.value for each in drawn]
        probability = self.checks.probability

        def arrived(cloud: CloudRows) -> None:
            cloud = self._replies.cloud_in_pictures(cloud, going)
            verdicts = self._replies.corrections(cloud, ids, replied, probability)
            for each, correction in zip(drawn, verdicts, strict=True):
                said = correction.prediction
                if said.index is not None or isinstance(said.value, Boxes | Interval | Anomaly):
                    self.watching.checked(each.gap, each.sureness, stayed=True, differs=correction.changed)
                self._corrections.put(correction)

        self.checks.send(Spot(tuple(ids), going, arrived))

    def close(self) -> None:
        """Send no more checks."""
        if self.checks is not None:
            self.checks.close()


def follow(
    file: "PolicyFile | None",
    spot_check: SpotCheck | None,
    judge: Judge,
    cloud: object,
    up: Escalation,
    route: Route,
    replies: Replies,
    corrections: Corrections,
) -> Following:
    """Whoever follows up under this policy; a device that learns has spot checks in any case."""
    if spot_check is not None and not isinstance(spot_check, SpotCheck):
        raise Misconfigured(
            "HAL-102", f"spot_check must be a SpotCheck, got {spot_check!r}. Try SpotCheck(share=0.01)"
        )
    if spot_check is None and judge.policy.personal is not None:
        spot_check = SpotCheck()
    promised = Promised(cloud="")
    if file is not None:
        promised = Promised(
            cloud=file.cloud,
            same_bytes=policies.is_same_cloud(file, cloud),
            disagreement=file.disagreement,
            overruled="the mode edge_only never asks the cloud" if route.mode is Mode.EDGE_ONLY else "",
            changed=policies.is_changed(file),
        )
    watching = Watching(
        None if file is None else file.promise,
        promised,
        judge,
        None if spot_check is None else spot_check.share,
    )
    up.on_cloud = watching.cloud_is
    checks = None if spot_check is None else SpotChecks(spot_check, up, route)
    return Following(watching, checks, replies, corrections)
