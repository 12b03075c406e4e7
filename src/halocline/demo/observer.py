"""Judge a run by what callers received, what the cloud process logged, and what the hub's door let in.

Pure, and apart from the program under test on purpose: it shares no counter with it, and states its own
idea of which reason goes with which tier.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from halocline.demo.evidence import Door, Evidence, Received, Sent, Traffic

LATE_TOLERANCE_S = 0.1
"""A reply may come this long after its deadline: what a busy two-core machine does to any thread."""
ACCURACY_TOLERANCE = 0.003
LEAST_SAVED = 0.70
LEAST_DEVICES = 3
MUTUAL = "mutual, 1.3"

CLOUD_REASONS = frozenset({"escalated", "mode"})
EDGE_REASONS = frozenset({"confident", "budget", "pending", "mode"})
DEGRADED_REASONS = frozenset(
    {
        "deadline",
        "refused",
        "unreachable",
        "untrusted",
        "disconnected",
        "invalid_answer",
        "breaker_open",
        "not_sent",
        "link_too_slow",
    }
)


class Spread(msgspec.Struct, frozen=True):
    """Median and 99th percentile; None where nothing was measured."""

    p50: float | None
    p99: float | None


class PhaseSeen(msgspec.Struct, frozen=True):
    """One phase, as its callers saw it."""

    name: str
    requests: int
    answered: int
    reasons: dict[str, int]
    accuracy: float | None
    latency_s: Spread
    cloud_rows: int
    bytes_up: int
    bytes_down: int


class Verdict(msgspec.Struct, frozen=True):
    """One promise, whether it was kept, and the figures behind that."""

    name: str
    passed: bool
    detail: str


class Judgement(msgspec.Struct, frozen=True):
    """Everything that the observer found."""

    requests: int
    answered: int
    lost: int
    duplicated: int
    late: int
    inconsistent: int
    edge_share: float | None
    degraded: int
    corrections: int
    accuracy: dict[str, float | None]
    cloud_calls_saved: float | None
    latency_s: dict[str, Spread]
    devices: int
    tls: str
    phases: tuple[PhaseSeen, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """True where every promise was kept."""
        return all(verdict.passed for verdict in self.verdicts)

    def phase(self, name: str) -> PhaseSeen:
        """The phase of that name."""
        return next(phase for phase in self.phases if phase.name == name)


def judge(evidence: Evidence) -> Judgement:
    """Read the evidence once and say what was kept of the promises."""
    by_request = _by_request(evidence.received)
    asked = {sent.request: sent for sent in evidence.sent}
    answered = [sent for sent in evidence.sent if sent.request in by_request]
    tiered = [reply for reply in evidence.received if _phase_of(reply, asked) != evidence.baseline]
    cloud_rows = _cloud_rows(evidence, asked)
    phases = tuple(_phase_seen(name, evidence, by_request, cloud_rows) for name in evidence.phases)
    counted = {
        "lost": len(evidence.sent) - len(answered),
        "duplicated": _duplicated(evidence, by_request),
        "late": sum(_is_late(reply, asked) for reply in evidence.received),
        "inconsistent": _inconsistent(evidence, asked),
    }
    accuracy = _accuracy(evidence, by_request)
    saved = _saved(evidence, phases)
    return Judgement(
        requests=len(evidence.sent),
        answered=len(answered),
        **counted,
        edge_share=_share(reply.tier == "edge" for reply in tiered),
        degraded=sum(reply.degraded for reply in evidence.received),
        corrections=len(evidence.corrected),
        accuracy=accuracy,
        cloud_calls_saved=saved,
        latency_s=_latencies(tiered, asked),
        devices=_devices(evidence.door),
        tls=_tls(evidence.door),
        phases=phases,
        verdicts=_verdicts(evidence, counted, phases, accuracy, saved),
    )


# What callers saw


def _by_request(received: Iterable[Received]) -> dict[str, list[Received]]:
    replies: dict[str, list[Received]] = {}
    for reply in received:
        replies.setdefault(reply.request, []).append(reply)
    return replies


def _phase_of(reply: Received, asked: dict[str, Sent]) -> str | None:
    sent = asked.get(reply.request)
    return sent.phase if sent is not None else None


def _waited_s(reply: Received, asked: dict[str, Sent]) -> float:
    sent = asked.get(reply.request)
    return reply.at_s - sent.sent_s if sent is not None else 0.0


def _is_late(reply: Received, asked: dict[str, Sent]) -> bool:
    sent = asked.get(reply.request)
    return sent is not None and reply.at_s - sent.sent_s > sent.deadline_s + LATE_TOLERANCE_S


def _duplicated(evidence: Evidence, by_request: dict[str, list[Received]]) -> int:
    """Second replies, second verdicts on one id, ids given twice, verdicts on what the cloud had answered."""
    seconds = sum(len(replies) - 1 for replies in by_request.values())
    firsts = [replies[0] for replies in by_request.values()]
    reused = len(firsts) - len({reply.id for reply in firsts})
    corrections = Counter(correction.id for correction in evidence.corrected)
    again = sum(count - 1 for count in corrections.values())
    cloud_ids = {reply.id for reply in evidence.received if reply.tier == "cloud"}
    return seconds + reused + again + sum(correction in cloud_ids for correction in corrections)


def _inconsistent(evidence: Evidence, asked: dict[str, Sent]) -> int:
    """Replies whose reason, tier and mark disagree or that nobody asked for, corrections of unknown replies,
    and what is told as the cloud's word but does not stand in the cloud's log."""
    known = {reply.id for reply in evidence.received}
    incoherent = sum(reply.request not in asked or not _is_coherent(reply) for reply in evidence.received)
    unknown = sum(late.id not in known for late in evidence.corrected)
    return incoherent + unknown + _unbacked(evidence)


def _unbacked(evidence: Evidence) -> int:
    """Cloud answers that the cloud's log does not know. Calls that travelled together stand in it under the
    first one's id, with the rows of all."""
    ran = {call.id for call in evidence.ran}
    claimed = {reply.id for reply in evidence.received if reply.tier == "cloud"}
    claimed |= {late.id for late in evidence.corrected}
    return max(0, len(claimed - ran) - sum(call.rows - 1 for call in evidence.ran))


def _is_coherent(reply: Received) -> bool:
    if reply.tier == "cloud":
        return reply.reason in CLOUD_REASONS and not reply.degraded
    if reply.tier != "edge":
        return False
    return reply.reason in (DEGRADED_REASONS if reply.degraded else EDGE_REASONS)


def _latencies(replies: Sequence[Received], asked: dict[str, Sent]) -> dict[str, Spread]:
    kinds: dict[str, list[float]] = {"edge": [], "cloud": [], "degraded": []}
    for reply in replies:
        kinds.setdefault("degraded" if reply.degraded else reply.tier, []).append(_waited_s(reply, asked))
    return {kind: _spread(waited_s) for kind, waited_s in kinds.items()}


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(None, None)
    p50, p99 = np.percentile(np.asarray(values), [50, 99])
    return Spread(round(float(p50), 6), round(float(p99), 6))


def _share(flags: Iterable[bool]) -> float | None:
    each = list(flags)
    return round(sum(each) / len(each), 6) if each else None


# What the cloud ran, and what it was worth


def _cloud_rows(evidence: Evidence, asked: dict[str, Sent]) -> dict[str, int]:
    """Rows that the cloud's model ran for each phase: for what was asked in it, however late it ran.

    Calls that no caller ever heard of count for the normal phase, so that hiding them saves nothing.
    """
    phases = {reply.id: _phase_of(reply, asked) or evidence.normal for reply in evidence.received}
    rows: Counter[str] = Counter()
    for call in evidence.ran:
        rows[phases.get(call.id, evidence.normal)] += call.rows
    return dict(rows)


def _phase_seen(
    name: str, evidence: Evidence, by_request: dict[str, list[Received]], cloud_rows: dict[str, int]
) -> PhaseSeen:
    sent = [each for each in evidence.sent if each.phase == name]
    firsts = {each.request: by_request[each.request][0] for each in sent if each.request in by_request}
    asked = {each.request: each for each in sent}
    traffic = evidence.traffic.get(name, Traffic(0, 0))
    return PhaseSeen(
        name=name,
        requests=len(sent),
        answered=len(firsts),
        reasons=dict(Counter(reply.reason for reply in firsts.values()).most_common()),
        accuracy=_share(reply.label == asked[request].truth for request, reply in firsts.items()),
        latency_s=_spread([_waited_s(reply, asked) for reply in firsts.values()]),
        cloud_rows=cloud_rows.get(name, 0),
        bytes_up=traffic.up_bytes,
        bytes_down=traffic.down_bytes,
    )


def _accuracy(evidence: Evidence, by_request: dict[str, list[Received]]) -> dict[str, float | None]:
    """Of the edge alone, the cloud alone and both together, over the rows of the normal phase."""
    truth = {sent.row: sent.truth for sent in evidence.sent if sent.phase == evidence.normal}
    told: dict[str, dict[int, str]] = {evidence.baseline: {}, evidence.normal: {}}
    for sent in evidence.sent:
        if sent.phase in told and sent.request in by_request:
            told[sent.phase][sent.row] = by_request[sent.request][0].label
    sources = {
        "edge": evidence.edge_labels,
        "cloud": told[evidence.baseline],
        "tiered": told[evidence.normal],
    }
    return {
        tier: _share(labels.get(row) == right for row, right in truth.items())
        for tier, labels in sources.items()
    }


def _saved(evidence: Evidence, phases: Sequence[PhaseSeen]) -> float | None:
    normal = next((phase for phase in phases if phase.name == evidence.normal), None)
    if normal is None or not normal.requests:
        return None
    return round(1 - normal.cloud_rows / normal.requests, 6)


# How devices and hub speak


def _devices(door: Door | None) -> int:
    """Distinct certificates that the hub's device door let in."""
    return len({each.digest for each in door.shown if each.status == 200}) if door is not None else 0


def _tls(door: Door | None) -> str:
    """`mutual, 1.3` where every connection was that; else what was seen."""
    if door is None:
        return "not looked at"
    versions = sorted({*door.carried, *(each.version.removeprefix("TLSv") for each in door.shown)})
    kind = "mutual" if door.stranger == "refused" and door.shown else f"a stranger was {door.stranger}"
    return ", ".join([kind, *(versions if door.carried else ["no connection seen"])])


# The verdicts


def _verdicts(
    evidence: Evidence,
    counted: dict[str, int],
    phases: Sequence[PhaseSeen],
    accuracy: dict[str, float | None],
    saved: float | None,
) -> tuple[Verdict, ...]:
    verdicts = [
        Verdict("nothing lost", counted["lost"] == 0, f"{counted['lost']} requests without a reply"),
        Verdict("nothing twice", counted["duplicated"] == 0, f"{counted['duplicated']} answers too many"),
        Verdict(
            "never late",
            counted["late"] == 0,
            f"{counted['late']} replies later than the deadline + {LATE_TOLERANCE_S} s",
        ),
        Verdict(
            "every reply is what it says",
            counted["inconsistent"] == 0,
            f"{counted['inconsistent']} replies or corrections that the cloud's log or their own marks deny",
        ),
        _all_answered(phases),
    ]
    if saved is not None:
        verdicts += [_as_good_as_the_cloud(accuracy), _saves_calls(saved)]
    if evidence.door is not None:
        verdicts += [_enough_devices(_devices(evidence.door)), _mutual(_tls(evidence.door), evidence.door)]
    if evidence.recovery is not None:
        verdicts.append(_recovered(next(each for each in phases if each.name == evidence.recovery)))
    return tuple(verdicts)


def _all_answered(phases: Sequence[PhaseSeen]) -> Verdict:
    short = [
        f"{each.name} {each.answered}/{each.requests}" for each in phases if each.answered != each.requests
    ]
    return Verdict("answered in every phase", not short, ", ".join(short) or "all of them")


def _enough_devices(devices: int) -> Verdict:
    return Verdict(
        "devices by their own certificates",
        devices >= LEAST_DEVICES,
        f"{devices} let in at the hub's door, each by another certificate (at least {LEAST_DEVICES})",
    )


def _mutual(tls: str, door: Door) -> Verdict:
    return Verdict(
        "mutual TLS 1.3", tls == MUTUAL, f"{tls}, on {len(door.carried)} connections through the link"
    )


def _as_good_as_the_cloud(accuracy: dict[str, float | None]) -> Verdict:
    tiered, cloud = accuracy["tiered"] or 0.0, accuracy["cloud"] or 0.0
    return Verdict(
        "as good as the cloud",
        tiered >= cloud - ACCURACY_TOLERANCE,
        f"tiered {tiered:.2%}, cloud alone {cloud:.2%} (at most {ACCURACY_TOLERANCE:.1%} below)",
    )


def _saves_calls(saved: float) -> Verdict:
    return Verdict(
        "saves cloud calls",
        saved >= LEAST_SAVED,
        f"{saved:.1%} of the calls saved (at least {LEAST_SAVED:.0%})",
    )


def _recovered(back: PhaseSeen) -> Verdict:
    escalated = back.reasons.get("escalated", 0)
    return Verdict("recovers by itself", escalated > 0, f"{escalated} cloud answers after the link came back")
