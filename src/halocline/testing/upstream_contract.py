"""What every Upstream promises, as tests: subclass `UpstreamContract` in a test module and give it a rig.

class TestMyUpstream(UpstreamContract):
    def rig(self) -> Rig:
        return MyRig()
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np

from halocline.ports import Answered, Failed, Feed, Upstream, Verdict
from halocline.records import Reason
from halocline.testing.answers import fixed_scores

FEATURES = 64
CLASSES = 10
SLACK_S = 0.25
"""How far after its deadline a call may return on a busy machine; the benchmarks are stricter."""
PATIENCE_S = 10.0
"""So long a test waits for what must come."""
RECOVERY_S = 1.0
"""An upstream that answers again is noticed within a breaker's usual probe interval."""
SETTLE_S = 0.2
"""So long a test watches for what must not come."""


class Rig(ABC):
    """An upstream under test, and the strings by which its other side is moved.

    The model behind it is `answers.fixed_scores`: float32 `[rows, 64]` named `x` to probabilities
    `[rows, 10]`, in whatever output. What is asked of the other side counts for the calls that come
    after; it starts by answering at once.
    """

    upstream: Upstream

    @abstractmethod
    def answers(self, after_s: float = 0.0) -> None:
        """Let the other side answer rightly, so much later."""

    @abstractmethod
    def fails(self) -> None:
        """Let the other side fail at once."""

    @abstractmethod
    def falls_silent(self) -> None:
        """Let the other side take calls and never answer."""

    @abstractmethod
    def close(self) -> None:
        """End the other side, and let go of what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.upstream.close()
        self.close()


class Heard:
    """Verdicts that came through a callback, and on which thread."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.threads: list[threading.Thread] = []
        self._came = threading.Condition()

    def __call__(self, verdict: Verdict) -> None:
        """Note one down."""
        with self._came:
            self.verdicts.append(verdict)
            self.threads.append(threading.current_thread())
            self._came.notify_all()

    def wait(self, settle_s: float = SETTLE_S) -> list[Verdict]:
        """The verdicts, once there is one, and after a while in which a surplus one would show."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.verdicts) > 0, PATIENCE_S), "no verdict came"
        time.sleep(settle_s)
        return self.verdicts


def feed_of(label: int, rows: int = 1) -> Feed:
    """Rows to which the model says the class `label`."""
    x = np.zeros((rows, FEATURES), np.float32)
    x[:, 0] = label
    return {"x": x}


def ask(
    upstream: Upstream, feed: Feed, within_s: float = PATIENCE_S, heard: Heard | None = None
) -> tuple[Verdict, float]:
    """The verdict, and the seconds until it was there."""
    began_s = time.monotonic()
    verdict = upstream.call(feed, call_id="1", until_s=began_s + within_s, on_late=heard)
    return verdict, time.monotonic() - began_s


def check_answer(verdict: Verdict, feed: Feed) -> None:
    """The verdict is the model's answer to these rows."""
    assert isinstance(verdict, Answered), verdict
    assert verdict.elapsed_s >= 0
    assert verdict.model.name
    (scores,) = verdict.outputs.values()
    np.testing.assert_allclose(scores, fixed_scores(np.asarray(feed["x"])), rtol=1e-6)


def failed(verdict: Verdict) -> Failed:
    """The verdict, which is a failure that says what happened."""
    assert isinstance(verdict, Failed), verdict
    assert verdict.reason.degraded
    assert verdict.detail
    return verdict


class UpstreamContract:
    """The promises of the port `Upstream`, one test each."""

    def rig(self) -> Rig:
        """A fresh rig, whose other side answers at once."""
        raise NotImplementedError

    def test_it_answers_with_one_row_for_each_row_asked(self) -> None:
        """Values and row counts are the model's."""
        with self.rig() as rig:
            for rows in (1, 2, 7):
                feed = feed_of(rows, rows)
                check_answer(ask(rig.upstream, feed)[0], feed)
            assert rig.upstream.spec is not None

    def test_a_call_returns_by_its_deadline_where_the_other_side_is_silent(self) -> None:
        """At `until_s`, with the reason `deadline`."""
        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            rig.falls_silent()
            for within_s in (0.1, 0.3):
                verdict, took_s = ask(rig.upstream, feed_of(1), within_s)
                assert failed(verdict).reason is Reason.DEADLINE
                assert within_s - 0.01 <= took_s <= within_s + SLACK_S

    def test_a_call_whose_time_is_over_returns_at_once(self) -> None:
        """A deadline in the past is a deadline."""
        with self.rig() as rig:
            rig.falls_silent()
            verdict, took_s = ask(rig.upstream, feed_of(1), -1.0)
            assert failed(verdict).reason is Reason.DEADLINE
            assert took_s <= SLACK_S

    def test_a_late_answer_arrives_once_and_from_another_thread(self) -> None:
        """Through `on_late`, after a return with the reason `deadline`."""
        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            rig.answers(after_s=0.4)
            heard = Heard()
            verdict, _ = ask(rig.upstream, feed_of(3), 0.1, heard)
            assert failed(verdict).reason is Reason.DEADLINE
            assert not heard.verdicts
            (late,) = heard.wait()
            check_answer(late, feed_of(3))
            assert isinstance(late, Answered)
            assert late.elapsed_s >= 0.35
            assert heard.threads[0] is not threading.current_thread()

    def test_an_answer_in_time_is_not_told_again_as_late(self) -> None:
        """`on_late` is for what came after the deadline."""
        with self.rig() as rig:
            heard = Heard()
            check_answer(ask(rig.upstream, feed_of(1), PATIENCE_S, heard)[0], feed_of(1))
            time.sleep(SETTLE_S)
            assert not heard.verdicts

    def test_a_late_answer_that_nobody_asked_for_is_dropped(self) -> None:
        """Without `on_late` nothing breaks, and the next call is answered."""
        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            rig.answers(after_s=0.3)
            assert failed(ask(rig.upstream, feed_of(1), 0.05)[0]).reason is Reason.DEADLINE
            rig.answers()
            time.sleep(0.4)
            check_answer(ask(rig.upstream, feed_of(2))[0], feed_of(2))

    def test_an_error_in_a_callback_does_no_harm(self) -> None:
        """It is the receiver's; calls that come after are answered."""

        def bad(verdict: Verdict) -> None:
            raise RuntimeError(f"on purpose: {verdict}")

        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            for _ in range(6):
                rig.upstream.send(feed_of(1), call_id="1", on_verdict=bad)
            time.sleep(SETTLE_S)
            check_answer(ask(rig.upstream, feed_of(2))[0], feed_of(2))

    def test_what_is_sent_gets_one_verdict_from_another_thread(self) -> None:
        """Each of several, with its own rows."""
        with self.rig() as rig:
            rig.answers(after_s=0.1)
            heard = [Heard() for _ in range(6)]
            for label, each in enumerate(heard):
                rig.upstream.send(feed_of(label, 2), call_id=str(label), on_verdict=each)
            for each in heard:
                each.wait(settle_s=0.0)
            time.sleep(SETTLE_S)
            for label, each in enumerate(heard):
                (verdict,) = each.verdicts
                check_answer(verdict, feed_of(label, 2))
                assert each.threads[0] is not threading.current_thread()

    def test_sending_does_not_wait(self) -> None:
        """Whatever the other side does."""
        with self.rig() as rig:
            rig.falls_silent()
            began_s = time.monotonic()
            for _ in range(8):
                rig.upstream.send(feed_of(1), call_id="1", on_verdict=Heard())
            assert time.monotonic() - began_s <= SLACK_S

    def test_a_failure_is_a_value(self) -> None:
        """Of a call and of what is sent; nothing is raised."""
        with self.rig() as rig:
            rig.fails()
            verdict, took_s = ask(rig.upstream, feed_of(1))
            failed(verdict)
            assert took_s < PATIENCE_S
            heard = Heard()
            rig.upstream.send(feed_of(1), call_id="1", on_verdict=heard)
            (sent,) = heard.wait()
            failed(sent)

    def test_it_answers_again_once_the_other_side_does(self) -> None:
        """After failing, and after silence."""
        with self.rig() as rig:
            for trouble in (rig.fails, rig.falls_silent):
                trouble()
                failed(ask(rig.upstream, feed_of(1), 0.1)[0])
                rig.answers()
                until_s = time.monotonic() + RECOVERY_S
                while isinstance(ask(rig.upstream, feed_of(4), 0.5)[0], Failed):
                    assert time.monotonic() < until_s, "it does not recover"
                    time.sleep(0.02)
                check_answer(ask(rig.upstream, feed_of(4))[0], feed_of(4))

    def test_one_silent_call_does_not_hold_up_another(self) -> None:
        """A black hole swallows the calls it got, no more."""
        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            rig.falls_silent()
            with in_threads(lambda _: ask(rig.upstream, feed_of(1), 1.2), 1):
                time.sleep(0.2)
                rig.answers()
                verdict, took_s = ask(rig.upstream, feed_of(2), 0.9)
                check_answer(verdict, feed_of(2))
                assert took_s < 0.5

    def test_sixteen_callers_at_once_each_get_their_own_rows(self) -> None:
        """Thread-safe, and no answer goes astray."""

        def many(caller: int) -> None:
            for turn in range(20):
                feed = feed_of((caller + turn) % CLASSES, 1 + caller % 3)
                check_answer(ask(rig.upstream, feed)[0], feed)

        with self.rig() as rig, in_threads(many, 16):
            pass

    def test_sixteen_callers_of_a_silent_side_all_return_by_their_deadlines(self) -> None:
        """However few ways lead up."""

        def one(_: int) -> None:
            verdict, took_s = ask(rig.upstream, feed_of(1), 0.3)
            failed(verdict)
            assert took_s <= 0.3 + SLACK_S

        with self.rig() as rig:
            rig.falls_silent()
            with in_threads(one, 16):
                pass

    def test_closing_ends_the_threads_and_may_be_repeated(self) -> None:
        """Those that calls, late answers and sending started."""
        before = set(threading.enumerate())
        with self.rig() as rig:
            others = set(threading.enumerate())
            ask(rig.upstream, feed_of(1))
            rig.upstream.send(feed_of(1), call_id="1", on_verdict=Heard())
            rig.answers(after_s=0.2)
            ask(rig.upstream, feed_of(1), 0.05)
            rig.upstream.close()
            rig.upstream.close()
            left = {thread for thread in set(threading.enumerate()) - others if _ours(thread)}
            assert not left
        assert not {thread for thread in set(threading.enumerate()) - before if _ours(thread)}

    def test_closing_ends_the_calls_that_wait(self) -> None:
        """They return at once, as failures; so does what was sent."""
        with self.rig() as rig:
            check_answer(ask(rig.upstream, feed_of(1))[0], feed_of(1))
            rig.falls_silent()
            heard = Heard()
            rig.upstream.send(feed_of(1), call_id="1", on_verdict=heard)
            seen: list[float] = []

            def wait(_: int) -> None:
                verdict, took_s = ask(rig.upstream, feed_of(1), 4.0)
                failed(verdict)
                seen.append(took_s)

            with in_threads(wait, 6):
                time.sleep(0.3)
                rig.upstream.close()
            assert len(seen) == 6
            assert max(seen) < 2.0
            (verdict,) = heard.wait()
            failed(verdict)

    def test_after_closing_calls_are_refused(self) -> None:
        """At once, with a verdict each."""
        with self.rig() as rig:
            rig.upstream.close()
            verdict, took_s = ask(rig.upstream, feed_of(1))
            assert failed(verdict).reason is Reason.REFUSED
            assert took_s <= SLACK_S
            heard = Heard()
            rig.upstream.send(feed_of(1), call_id="1", on_verdict=heard)
            (sent,) = heard.wait()
            assert failed(sent).reason is Reason.REFUSED


@contextmanager
def in_threads(work: Callable[[int], object], count: int) -> Iterator[None]:
    """Run `work(0)` … `work(count - 1)` each on a thread of its own; their errors are raised at the end."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a caller is stuck"
    if errors:
        raise errors[0]


def _ours(thread: threading.Thread) -> bool:
    return thread.is_alive() and thread.name.startswith("halocline")
