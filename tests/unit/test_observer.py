"""The observer sees each way in which a promise can be broken."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from halocline.demo.answer import Answer
from halocline.demo.caller import Caller, Row
from halocline.demo.evidence import Corrected, Door, Evidence, Ran, Received, Sent, Shown, Traffic
from halocline.demo.observer import Judgement, judge
from halocline.demo.sabotage import EVERY, Delivery, Kind
from halocline.records import Reason

DEADLINE_S = 0.3
PHASES = ("cloud_only", "normal", "silent", "back")


ONE, TWO, THREE = (Shown(f"certificate {number}", "TLSv1.3", 200) for number in range(3))
DOOR = Door(carried=("1.3", "1.3"), stranger="refused", shown=(ONE, TWO, THREE))


@dataclass
class Run:
    """A run without fault, to be broken in one place by each test."""

    sent: list[Sent] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    corrected: list[Corrected] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    recovery: str | None = "back"
    door: Door = DOOR

    def ask(self, phase: str, row: int, tier: str, reason: str, *, degraded: bool = False) -> None:
        request, at_s = f"{phase}/{row}", float(len(self.sent))
        self.sent.append(Sent(request, phase, row, str(row % 10), at_s, DEADLINE_S))
        self.received.append(
            Received(request, f"id-{request}", str(row % 10), tier, reason, degraded, at_s + 0.1)
        )
        if tier == "cloud":
            self.ran.append(Ran(f"id-{request}", 1))

    def judge(self) -> Judgement:
        return judge(
            Evidence(
                phases=PHASES,
                sent=self.sent,
                received=self.received,
                corrected=self.corrected,
                ran=self.ran,
                traffic={"normal": Traffic(700, 300)},
                edge_labels={row: str(row % 10) if row % 10 else "?" for row in range(20)},
                recovery=self.recovery,
                door=self.door,
            )
        )


@pytest.fixture
def run() -> Run:
    whole = Run()
    for row in range(20):
        whole.ask("cloud_only", row, "cloud", "mode")
    for row in range(20):
        up = row % 10 < 2
        whole.ask("normal", row, "cloud" if up else "edge", "escalated" if up else "confident")
    whole.ask("silent", 0, "edge", "deadline", degraded=True)
    whole.ask("silent", 1, "edge", "breaker_open", degraded=True)
    whole.corrected.append(Corrected("id-silent/0", "0", 99.0))
    whole.ran.append(Ran("id-silent/0", 1))
    whole.ask("back", 0, "cloud", "escalated")
    return whole


def failed(judgement: Judgement) -> set[str]:
    return {verdict.name for verdict in judgement.verdicts if not verdict.passed}


def test_a_run_without_fault_is_green_and_its_figures_are_right(run: Run) -> None:
    seen = run.judge()
    assert seen.passed
    assert (seen.requests, seen.answered, seen.lost, seen.duplicated, seen.late) == (43, 43, 0, 0, 0)
    assert (seen.degraded, seen.corrections) == (2, 1)
    assert seen.accuracy == {"edge": 0.9, "cloud": 1.0, "tiered": 1.0}
    assert seen.cloud_calls_saved == 0.8
    assert seen.edge_share == pytest.approx(18 / 23, abs=1e-6)
    assert seen.phase("normal").reasons == {"confident": 16, "escalated": 4}
    assert (seen.phase("normal").bytes_up, seen.phase("normal").bytes_down) == (700, 300)
    assert seen.phase("silent").cloud_rows == 1
    assert seen.latency_s["degraded"].p50 == pytest.approx(0.1)


def drop(run: Run) -> None:
    del run.received[30]


def reply_twice(run: Run) -> None:
    run.received.append(run.received[30])


def reuse_an_id(run: Run) -> None:
    first, second = run.received[25], run.received[26]
    run.received[26] = Received(
        second.request, first.id, second.label, second.tier, second.reason, second.degraded, second.at_s
    )


def correct_twice(run: Run) -> None:
    run.corrected.append(run.corrected[0])


def correct_what_the_cloud_answered(run: Run) -> None:
    run.corrected.append(Corrected("id-normal/0", "0", 99.0))


def correct_what_nobody_asked(run: Run) -> None:
    run.corrected.append(Corrected("id-nobody", "0", 99.0))


def correct_out_of_thin_air(run: Run) -> None:
    run.corrected.append(Corrected("id-silent/1", "0", 99.0))


def be_late(run: Run) -> None:
    reply = run.received[30]
    run.received[30] = Received(
        reply.request, reply.id, reply.label, reply.tier, reply.reason, False, run.sent[30].sent_s + 0.5
    )


def rewrite(at: int, **changes: object) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        fields = {name: getattr(run.received[at], name) for name in Received.__struct_fields__}
        run.received[at] = Received(**(fields | changes))

    change.__name__ = f"rewrite {at} {changes}"
    return change


def claim_the_cloud_without_a_call(run: Run) -> None:
    del run.ran[0]


def answer_worse_than_the_cloud(run: Run) -> None:
    rewrite(30, label="wrong")(run)


def call_the_cloud_too_often(run: Run) -> None:
    run.ran.append(Ran("id-normal/5", 3))


def hide_calls_from_callers(run: Run) -> None:
    run.ran += [Ran(f"hidden-{at}", 1) for at in range(3)]


def stay_degraded(run: Run) -> None:
    run.received[-1] = Received("back/0", "id-back/0", "0", "edge", "breaker_open", True, 42.1)


@pytest.mark.parametrize(
    ("break_it", "verdict"),
    [
        (drop, "nothing lost"),
        (drop, "answered in every phase"),
        (reply_twice, "nothing twice"),
        (reuse_an_id, "nothing twice"),
        (correct_twice, "nothing twice"),
        (correct_what_the_cloud_answered, "nothing twice"),
        (correct_what_nobody_asked, "every reply is what it says"),
        (correct_out_of_thin_air, "every reply is what it says"),
        (be_late, "never late"),
        (rewrite(35, reason="escalated"), "every reply is what it says"),
        (rewrite(35, reason="deadline"), "every reply is what it says"),
        (rewrite(35, degraded=True), "every reply is what it says"),
        (rewrite(40, degraded=False), "every reply is what it says"),
        (rewrite(20, reason="confident"), "every reply is what it says"),
        (rewrite(35, tier="moon"), "every reply is what it says"),
        (rewrite(30, request="normal/unasked"), "every reply is what it says"),
        (claim_the_cloud_without_a_call, "every reply is what it says"),
        (answer_worse_than_the_cloud, "as good as the cloud"),
        (call_the_cloud_too_often, "saves cloud calls"),
        (hide_calls_from_callers, "saves cloud calls"),
        (stay_degraded, "recovers by itself"),
    ],
)
def test_each_broken_promise_turns_its_verdict_red(
    run: Run, break_it: Callable[[Run], None], verdict: str
) -> None:
    break_it(run)
    judgement = run.judge()
    assert not judgement.passed
    assert verdict in failed(judgement)


@pytest.mark.parametrize(
    ("change", "tls"),
    [
        ({"carried": ("1.3", "1.2")}, "mutual, 1.2, 1.3"),
        ({"carried": ("none",)}, "mutual, 1.3, none"),
        ({"carried": ()}, "mutual, no connection seen"),
        ({"stranger": "answered 'HTTP/1.1 401'"}, "a stranger was answered 'HTTP/1.1 401', 1.3"),
        ({"shown": (ONE, TWO, Shown("other", "TLSv1.2", 200))}, "mutual, 1.2, 1.3"),
    ],
)
def test_anything_but_mutual_tls_1_3_is_told_and_turns_its_verdict_red(
    run: Run, change: dict[str, object], tls: str
) -> None:
    run.door = msgspec.structs.replace(run.door, **change)
    seen = run.judge()
    assert seen.tls == tls
    assert failed(seen) == {"mutual TLS 1.3"}


@pytest.mark.parametrize("third", [ONE, Shown("certificate 2", "TLSv1.3", 403), Shown("x", "none", 0)])
def test_a_certificate_shown_twice_or_not_let_in_is_no_device(run: Run, third: Shown) -> None:
    run.door = msgspec.structs.replace(run.door, shown=(*run.door.shown[:2], third))
    seen = run.judge()
    assert seen.devices == 2
    assert "devices by their own certificates" in failed(seen)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(Kind.DROP, "nothing lost"), (Kind.DUPLICATE, "nothing twice"), (Kind.LATE, "never late")],
)
def test_each_sabotage_turns_the_observer_red(kind: Kind, verdict: str) -> None:
    caller = Caller()
    delivery = Delivery(kind)
    for number in range(EVERY):
        row = Row(number, 0, np.zeros(1), "7")
        caller.ask(
            lambda row: Answer(f"id-{row.number}", "7", "edge", "confident", False),
            row,
            phase="interactive",
            deadline_s=0.01,
            delivery=delivery,
        )
    seen = judge(Evidence(("interactive",), caller.sent, caller.received, caller.corrected, [], {}, {}))
    assert verdict in failed(seen)


def test_a_reply_may_use_its_whole_deadline(run: Run) -> None:
    rewrite(40, at_s=run.sent[40].sent_s + DEADLINE_S + 0.02)(run)
    assert run.judge().passed


def test_the_observers_own_list_of_reasons_has_every_reason_of_the_platform(run: Run) -> None:
    for reason in Reason:
        tier = "cloud" if reason is Reason.ESCALATED else "edge"
        row = len(run.sent)
        run.ask("back", row, tier, reason.value, degraded=reason.degraded)
    assert run.judge().passed


def test_nothing_measured_is_not_zero() -> None:
    judgement = judge(Evidence((), [], [], [], [], {}, {}))
    assert judgement.edge_share is None
    assert judgement.cloud_calls_saved is None
    assert judgement.latency_s["cloud"].p99 is None
