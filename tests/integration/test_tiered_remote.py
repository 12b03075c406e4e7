"""Tiered over a real server: labels learnt late, calls gathered, black holes that block nobody else."""

import threading
import time

import numpy as np
import psutil
import pytest
from tiered_parts import (
    CLASSES,
    LABELS,
    SLACK_S,
    SURE,
    UNSURE,
    batch,
    eventually,
    our_threads,
    row,
    softmax_model,
    timed,
    verdict_on,
)

import halocline as hc
from halocline.testing.faults import Fault, FaultServer
from halocline.testing.upstream_contract import in_threads


@pytest.fixture(scope="module")
def edge():
    return softmax_model()


@pytest.fixture
def server():
    with FaultServer(features=CLASSES, classes=CLASSES, predict=verdict_on) as server:
        yield server


def ready(server, **more):
    remote = hc.connect(server.url, **more)
    remote.wait_ready()
    return remote


def test_the_servers_answer_comes_with_its_model_and_version(edge, server):
    with hc.Tiered(edge, ready(server)) as tiered:
        reply = tiered.infer(UNSURE)
    assert (reply.tier, reply.label, reply.reason) == (hc.Tier.CLOUD, "bee", hc.Reason.ESCALATED)
    assert str(reply.cloud_model) == "cloud@1"
    assert reply.cloud_s > 0


def test_a_batch_costs_one_request_for_its_unsure_rows(edge, server):
    with hc.Tiered(edge, ready(server)) as tiered:
        replies = tiered.infer_batch(batch(SURE, UNSURE, row(3, 0.3), SURE))
    assert [r.label for r in replies] == ["ant", "bee", "ant", "ant"]
    assert [r.tier.value for r in replies] == ["edge", "cloud", "cloud", "edge"]
    assert server.infer_count == 1


def test_labels_that_the_server_tells_only_later_are_matched_then():
    order = ("dog", "cat", "bee", "ant")
    edge = softmax_model()
    with FaultServer(features=CLASSES, classes=CLASSES, labels=order, predict=verdict_on) as server:
        server.mode = Fault.REFUSE
        with hc.Tiered(edge, hc.connect(server.url), deadline_s=1.0) as tiered:
            assert tiered.infer(UNSURE).degraded
            assert tiered.health().cloud is None
            server.mode = Fault.OK
            eventually(lambda: tiered.infer(UNSURE).tier is hc.Tier.CLOUD)
            reply = tiered.infer(UNSURE)
    assert (reply.label, reply.index) == ("cat", 2)  # the second class of the cloud's order
    np.testing.assert_allclose(reply.scores, [0.02, 0.02, 0.94, 0.02], rtol=1e-5)


def test_a_label_map_may_be_given_before_the_server_has_told_its_labels():
    names = ("Ant", "bee", "cat", "dog")
    with FaultServer(features=CLASSES, classes=CLASSES, labels=names, predict=verdict_on) as server:
        server.mode = Fault.REFUSE
        cloud = hc.connect(server.url)
        with hc.Tiered(softmax_model(), cloud, label_map={"Ant": "ant"}, deadline_s=1.0) as tiered:
            server.mode = Fault.OK
            eventually(lambda: tiered.infer(row(3, 0.4)).tier is hc.Tier.CLOUD)
            assert tiered.infer(row(3, 0.4)).label == "ant"


def test_a_mismatch_that_shows_only_later_is_an_invalid_answer_that_names_the_labels():
    names = ("ant", "bee", "cat", "wolf")
    with FaultServer(features=CLASSES, classes=CLASSES, labels=names, mode=Fault.REFUSE) as server:
        with hc.Tiered(softmax_model(), hc.connect(server.url), deadline_s=1.0) as tiered:
            server.mode = Fault.OK
            eventually(lambda: tiered.infer(UNSURE).reason is hc.Reason.INVALID_ANSWER)
            assert "'wolf' is not known at the edge" in tiered.health().failure


def test_labels_that_do_not_match_are_an_error_at_once_where_they_are_known():
    names = ("ant", "bee", "cat", "wolf")
    with FaultServer(features=CLASSES, classes=CLASSES, labels=names) as server, ready(server) as remote:
        with pytest.raises(hc.Misconfigured, match="'wolf'") as caught:
            hc.Tiered(softmax_model(), remote)
        assert caught.value.code == "HAL-204"


def test_escalations_that_come_while_calls_are_in_flight_travel_together(edge, server):
    server.mode, server.slow_s = Fault.SLOW, 0.15
    callers = 24
    replies = [None] * callers
    with hc.Tiered(edge, ready(server, max_connections=1), deadline_s=5.0) as tiered:

        def ask(number):
            replies[number] = tiered.infer(row(number % CLASSES, 0.4))

        with in_threads(ask, callers):
            pass
        assert sum(tiered.health().replies.values()) == callers
    assert server.infer_count <= 4  # one at once, then all who came while it was away
    for number, reply in enumerate(replies):
        assert (reply.tier, reply.label) == (hc.Tier.CLOUD, LABELS[(number + 1) % CLASSES])
    assert len({reply.id for reply in replies}) == callers


def test_no_more_rows_travel_together_than_allowed(edge, server):
    server.mode, server.slow_s = Fault.SLOW, 0.05
    remote = ready(server, max_connections=1, max_batch=4)
    with hc.Tiered(edge, remote, deadline_s=5.0) as tiered, in_threads(lambda _: tiered.infer(UNSURE), 16):
        pass
    assert server.infer_count >= 4


def test_a_black_hole_under_one_cloud_does_not_touch_another(edge, server):
    with FaultServer(features=CLASSES, classes=CLASSES, mode=Fault.BLACK_HOLE) as hole:
        lost = hc.Tiered(edge, ready(hole), deadline_s=0.5, breaker=None)
        fine = hc.Tiered(edge, ready(server), deadline_s=0.5)
        with lost, fine, in_threads(lambda _: lost.infer(UNSURE), 8):
            for _ in range(20):
                reply, took_s = timed(lambda: fine.infer(UNSURE))
                assert reply.tier is hc.Tier.CLOUD
                assert took_s < SLACK_S


def test_a_call_that_is_swallowed_does_not_hold_up_those_of_other_callers(edge, server):
    with hc.Tiered(edge, ready(server), deadline_s=1.0) as tiered:
        tiered.infer(UNSURE)
        server.mode = Fault.BLACK_HOLE
        swallowed = []
        with in_threads(lambda _: swallowed.append(tiered.infer(UNSURE)), 3):
            time.sleep(0.2)
            server.mode = Fault.OK
            reply, took_s = timed(lambda: tiered.infer(UNSURE))
        assert (reply.tier, took_s < 0.5) == (hc.Tier.CLOUD, True)
        assert {each.reason for each in swallowed} == {hc.Reason.DEADLINE}


def test_callers_of_a_black_hole_are_all_answered_in_time(edge, server):
    server.mode = Fault.BLACK_HOLE
    took = []

    def ask(_):
        for _ in range(3):
            reply, took_s = timed(lambda: tiered.infer(UNSURE))
            assert reply.degraded
            took.append(took_s)

    with hc.Tiered(edge, ready(server), deadline_s=0.2, breaker=None) as tiered, in_threads(ask, 16):
        pass
    assert len(took) == 48
    assert max(took) < 0.2 + SLACK_S


def test_late_answers_of_the_server_become_corrections_once(edge, server):
    server.mode, server.slow_s = Fault.SLOW, 0.4
    heard = []
    with hc.Tiered(edge, ready(server), deadline_s=0.1, on_correction=heard.append, breaker=None) as tiered:
        replies = []
        with in_threads(lambda _: replies.append(tiered.infer(UNSURE)), 4):
            pass
        late = [r.id for r in replies if r.reason is hc.Reason.DEADLINE]
        assert len(late) == 4
        eventually(lambda: len(heard) >= server.infer_count)
        time.sleep(0.3)
    assert len({each.id for each in heard}) == len(heard)
    assert {each.id for each in heard} <= set(late)
    assert {each.prediction.label for each in heard} == {"bee"}


def test_want_async_over_a_server_corrects_everything(edge, server):
    heard = []
    with hc.Tiered(edge, ready(server), want_async=True, on_correction=heard.append) as tiered:
        replies = [tiered.infer(row(at % CLASSES, 0.4)) for at in range(20)]
        eventually(lambda: len(heard) == 20)
    assert {each.reason for each in replies} == {hc.Reason.PENDING}
    assert sorted(each.id for each in heard) == sorted(each.id for each in replies)
    said = {each.id: each.prediction.label for each in heard}
    for at, reply in enumerate(replies):
        assert said[reply.id] == LABELS[(at + 1) % CLASSES]


def test_many_threads_over_a_server_each_get_their_own_answer(edge, server):
    with hc.Tiered(edge, ready(server), deadline_s=20.0) as tiered:

        def ask(number):
            for turn in range(25):
                at = (number + turn) % CLASSES
                reply = tiered.infer(row(at, 0.4 if turn % 2 else 0.97))
                assert reply.label == LABELS[(at + turn % 2) % CLASSES]

        with in_threads(ask, 16):
            pass
        assert tiered.health().replies == {"confident": 16 * 13, "escalated": 16 * 12}


@pytest.mark.parametrize("fault", [Fault.OK, Fault.SLOW, Fault.BLACK_HOLE, Fault.REFUSE, Fault.TRICKLE])
def test_closing_leaves_no_thread_and_no_socket_whatever_the_server_does(edge, server, fault):
    server.slow_s = 0.3
    threads, sockets = our_threads(), _sockets(server)
    remote = ready(server)
    server.mode = fault
    with hc.Tiered(edge, remote, deadline_s=0.1, breaker=None) as tiered:
        for want_async in (False, True):
            for _ in range(3):
                tiered.infer(UNSURE, want_async=want_async)
    assert our_threads() <= threads
    eventually(lambda: _sockets(server) <= sockets)
    assert not [each for each in threading.enumerate() if "connect" in each.name]


def _sockets(server):
    """Our ends of the connections to this server."""
    found = psutil.Process().net_connections("tcp")
    return sum(bool(each.raddr) and each.raddr.port == server.port for each in found)
