"""Tiered inference: every request gets one reply, from the right tier, for the right reason, in time."""

import asyncio
import sys
import time
import uuid

import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper
from tiered_parts import (
    CLASSES,
    LABELS,
    SLACK_S,
    SURE,
    UNSURE,
    Cloud,
    batch,
    eventually,
    our_threads,
    row,
    softmax_model,
    timed,
    verdict_on,
)

import halocline as hc
from halocline.testing.upstream_contract import in_threads


@pytest.fixture(scope="module")
def edge():
    return softmax_model()


@pytest.fixture
def cloud():
    cloud = Cloud()
    yield cloud
    cloud.let_go.set()


class Counted:
    """The edge model, and how often it ran."""

    def __init__(self, model):
        self.spec, self.conform, self.conform_batch = model.spec, model.conform, model.conform_batch
        self.runs = 0
        self._run = model.run

    def run(self, feed):
        self.runs += 1
        return self._run(feed)


# Which tier answers


def test_a_sure_row_is_answered_at_the_edge_and_the_cloud_is_not_called(edge, cloud):
    with hc.Tiered(edge, cloud) as tiered:
        reply = tiered.infer(SURE)
    assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.EDGE, hc.Reason.CONFIDENT, False)
    assert (reply.value, reply.label, reply.index) == ("ant", "ant", 0)
    assert reply.confidence == pytest.approx(0.97, rel=1e-5)
    np.testing.assert_allclose(reply.scores, [0.97, 0.01, 0.01, 0.01], rtol=1e-5)
    np.testing.assert_allclose(reply.outputs["probabilities"], reply.scores)
    assert uuid.UUID(reply.id).version == 7
    assert reply.edge_s > 0
    assert reply.gate_s >= 0
    assert reply.cloud_s is None
    assert reply.edge_model == edge.spec.ref
    assert cloud.batches == []


def test_an_unsure_row_is_answered_by_the_cloud(edge, cloud):
    with hc.Tiered(edge, cloud) as tiered:
        reply = tiered.infer(UNSURE)
    assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.CLOUD, hc.Reason.ESCALATED, False)
    assert (reply.value, reply.label, reply.index) == ("bee", "bee", 1)
    assert reply.confidence == pytest.approx(0.94)
    np.testing.assert_allclose(reply.scores, [0.02, 0.94, 0.02, 0.02], rtol=1e-6)
    assert reply.edge_s > 0
    assert reply.gate_s >= 0
    assert reply.cloud_s > 0
    assert cloud.rows == 1


def test_without_labels_the_value_is_the_class_index(cloud):
    with hc.Tiered(softmax_model(labels=None), cloud) as tiered:
        for sample, index in ((SURE, 0), (UNSURE, 1)):
            reply = tiered.infer(sample)
            assert (reply.value, reply.index, reply.label) == (index, index, None)
            assert type(reply.value) is int


def test_both_models_are_named_in_every_reply(edge):
    big = softmax_model()
    with hc.Tiered(edge, big, threshold=0.5) as tiered:
        for sample in (SURE, UNSURE):
            reply = tiered.infer(sample)
            assert reply.edge_model == edge.spec.ref
            assert reply.cloud_model == big.spec.ref


@pytest.mark.parametrize("many", [False, True])
def test_edge_only_never_calls_the_cloud(edge, cloud, many):
    with hc.Tiered(edge, cloud, mode="edge_only") as tiered:
        replies = tiered.infer_batch(batch(SURE, UNSURE)) if many else [tiered.infer(UNSURE)]
    assert {(r.tier, r.reason, r.degraded) for r in replies} == {(hc.Tier.EDGE, hc.Reason.MODE, False)}
    assert cloud.batches == []


@pytest.mark.parametrize("many", [False, True])
def test_cloud_only_never_runs_the_edge(edge, cloud, many):
    counted = Counted(edge)
    with hc.Tiered(counted, cloud, mode=hc.Mode.CLOUD_ONLY) as tiered:
        replies = tiered.infer_batch(batch(SURE, UNSURE)) if many else [tiered.infer(SURE)]
    assert counted.runs == 0
    assert {(r.tier, r.reason, r.label) for r in replies} == {(hc.Tier.CLOUD, hc.Reason.MODE, "bee")}
    assert {(r.edge_s, r.gate_s) for r in replies} == {(None, None)}
    assert replies[0].cloud_s > 0


def test_cloud_only_without_an_answer_is_an_error_in_time(edge):
    slow = Cloud(after_s=5.0)
    with hc.Tiered(edge, slow, mode="cloud_only", deadline_s=0.2) as tiered:
        began_s = time.monotonic()
        with pytest.raises(hc.Transient, match="deadline") as caught:
            tiered.infer(SURE)
        assert time.monotonic() - began_s < 0.2 + SLACK_S
        assert caught.value.code == "HAL-401"
        slow.let_go.set()
    with (
        hc.Tiered(edge, Cloud(trouble=lambda x: 1 / 0), mode="cloud_only") as tiered,
        pytest.raises(hc.Transient, match="ZeroDivisionError"),
    ):
        tiered.infer_batch(batch(SURE))


def test_prefer_cloud_sends_sure_rows_too(edge, cloud):
    with hc.Tiered(edge, cloud, mode="prefer_cloud") as tiered:
        replies = tiered.infer_batch(batch(SURE, UNSURE))
        assert tiered.infer(SURE).label == "bee"
    assert [(r.tier, r.reason, r.degraded) for r in replies] == [(hc.Tier.CLOUD, hc.Reason.MODE, False)] * 2
    assert [len(each) for each in cloud.batches] == [2, 1]


def test_prefer_cloud_falls_back_to_the_edge(edge):
    with hc.Tiered(edge, Cloud(trouble=lambda x: 1 / 0), mode="prefer_cloud") as tiered:
        reply = tiered.infer(SURE)
    assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.EDGE, hc.Reason.REFUSED, True)
    assert reply.label == "ant"


# What holds for one request alone


def test_a_threshold_may_be_given_for_one_request(edge, cloud):
    with hc.Tiered(edge, cloud, threshold=0.8) as tiered:
        assert tiered.infer(SURE, threshold=0.99).tier is hc.Tier.CLOUD
        assert tiered.infer(UNSURE, threshold=0.0).tier is hc.Tier.EDGE
        assert [r.tier.value for r in tiered.infer_batch(batch(SURE, UNSURE), threshold=0.99)] == [
            "cloud"
        ] * 2
        assert tiered.infer(SURE).tier is hc.Tier.EDGE
        assert tiered.infer(UNSURE).tier is hc.Tier.CLOUD


def test_a_requests_threshold_goes_before_those_of_the_classes(edge, cloud):
    with hc.Tiered(edge, cloud, class_thresholds={"ant": 1.0}) as tiered:
        assert tiered.infer(SURE).tier is hc.Tier.CLOUD
        assert tiered.infer(SURE, threshold=0.9).tier is hc.Tier.EDGE


def test_a_deadline_may_be_given_for_one_request(edge):
    slow = Cloud(after_s=0.4)
    with hc.Tiered(edge, slow, deadline_s=5.0) as tiered:
        reply, took_s = timed(lambda: tiered.infer(UNSURE, deadline_s=0.1))
        assert reply.reason is hc.Reason.DEADLINE
        assert took_s < 0.1 + SLACK_S
        assert tiered.infer(UNSURE).tier is hc.Tier.CLOUD


def test_want_async_may_be_given_for_one_request(edge, cloud):
    with hc.Tiered(edge, cloud, want_async=True) as tiered:
        assert tiered.infer(UNSURE, want_async=False).tier is hc.Tier.CLOUD
        assert tiered.infer(UNSURE).reason is hc.Reason.PENDING
    with hc.Tiered(edge, cloud) as tiered:
        assert tiered.infer(UNSURE, want_async=True).reason is hc.Reason.PENDING


@pytest.mark.parametrize("key", ["bee", 1, np.int64(1)])
def test_thresholds_by_class_are_given_by_label_or_index(edge, cloud, key):
    with hc.Tiered(edge, cloud, threshold=0.5, class_thresholds={key: 0.9}) as tiered:
        replies = tiered.infer_batch(batch(row(0, 0.7), row(1, 0.7), row(1, 0.95)))
        assert [r.tier.value for r in replies] == ["edge", "cloud", "edge"]
        assert tiered.infer(row(1, 0.7)).tier is hc.Tier.CLOUD


@pytest.mark.parametrize(
    ("score", "sure"), [("margin", 0.35), ("entropy", 0.35), (hc.Score.MAX_SOFTMAX, 0.6)]
)
def test_every_score_gates(edge, cloud, score, sure):
    with hc.Tiered(edge, cloud, score=score, threshold=sure) as tiered:
        assert tiered.infer(SURE).tier is hc.Tier.EDGE
        assert tiered.infer(UNSURE).tier is hc.Tier.CLOUD


def test_a_temperature_flattens_the_confidence(edge, cloud):
    with hc.Tiered(edge, cloud, temperature=3.0) as tiered:
        reply = tiered.infer(SURE, threshold=0.0)
        want = np.array([0.97, 0.01, 0.01, 0.01]) ** (1 / 3)
        np.testing.assert_allclose(reply.scores, want / want.sum(), rtol=1e-5)
        assert tiered.infer(SURE).tier is hc.Tier.CLOUD


# Batches


def test_only_the_unsure_rows_of_a_batch_travel_in_one_call(edge, cloud):
    rows = [SURE, row(2, 0.5), row(1, 0.99), UNSURE]
    with hc.Tiered(edge, cloud) as tiered:
        replies = tiered.infer_batch(batch(*rows))
    assert [r.tier.value for r in replies] == ["edge", "cloud", "edge", "cloud"]
    assert [r.label for r in replies] == ["ant", "dog", "bee", "bee"]
    assert len({r.id for r in replies}) == 4
    (sent,) = cloud.batches
    np.testing.assert_array_equal(sent, batch(rows[1], rows[3]))


def test_a_batch_is_answered_as_its_rows_would_be(edge, cloud):
    rows = [row(i % 4, c) for i, c in enumerate(np.linspace(0.3, 0.99, 12))]
    with hc.Tiered(edge, cloud) as tiered:
        for together, alone in zip(tiered.infer_batch(batch(*rows)), map(tiered.infer, rows), strict=True):
            assert (together.value, together.tier, together.reason) == (alone.value, alone.tier, alone.reason)
            assert together.confidence == pytest.approx(alone.confidence)
            np.testing.assert_allclose(together.scores, alone.scores, rtol=1e-5)


def test_a_budget_lets_the_least_sure_rows_of_a_batch_go_up(edge, cloud):
    budget = hc.EscalationBudget(share=0.0, burst=2)
    rows = [row(0, c) for c in (0.5, 0.3, 0.97, 0.4, 0.6)]
    with hc.Tiered(edge, cloud, budget=budget) as tiered:
        replies = tiered.infer_batch(batch(*rows))
        assert [r.reason.value for r in replies] == [
            "budget",
            "escalated",
            "confident",
            "escalated",
            "budget",
        ]
        assert not any(r.degraded for r in replies)
        (sent,) = cloud.batches
        np.testing.assert_array_equal(sent, batch(rows[1], rows[3]))
        assert tiered.infer(UNSURE).reason is hc.Reason.BUDGET


def test_rows_that_stay_fill_a_budget_by_share(edge, cloud):
    with hc.Tiered(edge, cloud, budget=hc.EscalationBudget(share=0.1, burst=1)) as tiered:
        reasons = []
        for _ in range(5):
            reasons.append(tiered.infer(UNSURE).reason.value)
            for _ in range(9):
                tiered.infer(SURE)
        assert reasons == ["escalated"] * 5
        assert [tiered.infer(UNSURE).reason.value for _ in range(2)] == ["escalated", "budget"]


def test_a_large_batch_gets_its_share(edge, cloud):
    with hc.Tiered(edge, cloud, budget=hc.EscalationBudget(share=0.2, burst=1)) as tiered:
        replies = tiered.infer_batch(np.tile(UNSURE, (100, 1)))
    assert 20 <= sum(r.reason is hc.Reason.ESCALATED for r in replies) <= 21


# Later verdicts


def test_want_async_answers_at_once_and_corrects_by_callback(edge):
    slow, heard = Cloud(after_s=0.6), []
    with hc.Tiered(edge, slow, want_async=True, deadline_s=0.4, on_correction=heard.append) as tiered:
        reply, took_s = timed(lambda: tiered.infer(UNSURE))
        assert took_s < 0.4  # sooner than the deadline, and than the cloud
        assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.EDGE, hc.Reason.PENDING, False)
        assert reply.label == "ant"
        eventually(lambda: heard)
        time.sleep(0.2)
    (correction,) = heard
    assert correction.id == reply.id
    assert (correction.replied, correction.prediction.value, correction.changed) == ("ant", "bee", True)
    assert correction.cloud_s >= 0.5
    np.testing.assert_allclose(correction.prediction.scores, verdict_on(UNSURE[None])[0], rtol=1e-6)


def test_want_async_corrects_each_unsure_row_of_a_batch_by_iterator(edge, cloud):
    with hc.Tiered(edge, cloud, want_async=True) as tiered:
        replies = tiered.infer_batch(batch(UNSURE, SURE, row(2, 0.5)))
        assert [r.reason.value for r in replies] == ["pending", "confident", "pending"]
        corrections = {each.id: each for each in tiered.corrections(timeout_s=0.5)}
        assert tiered.health().corrections == 2
    assert set(corrections) == {replies[0].id, replies[2].id}
    assert corrections[replies[2].id].prediction.label == "dog"
    assert [len(each) for each in cloud.batches] == [2]


def test_a_verdict_that_agrees_says_so(edge):
    with hc.Tiered(edge, lambda x: np.eye(4)[np.asarray(x).argmax(1)], want_async=True) as tiered:
        tiered.infer(UNSURE)
        (correction,) = tiered.corrections(timeout_s=0.5)
    assert correction.changed is False


def test_a_late_answer_becomes_a_correction_with_the_same_id_and_never_a_second_reply(edge):
    slow = Cloud(after_s=0.4)
    with hc.Tiered(edge, slow, deadline_s=0.1) as tiered:
        reply, took_s = timed(lambda: tiered.infer(UNSURE))
        assert 0.09 < took_s < 0.1 + SLACK_S
        assert (reply.tier, reply.reason, reply.degraded) == (hc.Tier.EDGE, hc.Reason.DEADLINE, True)
        assert (reply.label, reply.cloud_s) == ("ant", None)
        corrections = list(tiered.corrections(timeout_s=1.0))
        assert [each.id for each in corrections] == [reply.id]
        assert corrections[0].replied == "ant"
        assert corrections[0].prediction.label == "bee"
        assert sum(tiered.health().replies.values()) == 1


def test_late_rows_of_a_batch_are_corrected_under_their_own_ids(edge):
    slow = Cloud(after_s=0.3)
    with hc.Tiered(edge, slow, deadline_s=0.1) as tiered:
        replies = tiered.infer_batch(batch(UNSURE, SURE, row(2, 0.5)))
        corrections = {each.id: each.prediction.label for each in tiered.corrections(timeout_s=1.0)}
    assert [r.reason.value for r in replies] == ["deadline", "confident", "deadline"]
    assert corrections == {replies[0].id: "bee", replies[2].id: "dog"}


def test_an_error_in_the_callback_reaches_nobody(edge, cloud, caplog):
    def bad(correction):
        raise RuntimeError("on purpose")

    with hc.Tiered(edge, cloud, want_async=True, on_correction=bad) as tiered:
        reply = tiered.infer(UNSURE)
        eventually(lambda: "on_correction raised" in caplog.text)
        assert reply.id in caplog.text
        assert tiered.infer(UNSURE).reason is hc.Reason.PENDING


def test_corrections_end_when_it_is_closed(edge, cloud):
    tiered = hc.Tiered(edge, cloud)
    seen = []
    with in_threads(lambda _: seen.extend(tiered.corrections()), 1):
        time.sleep(0.05)
        tiered.close()
    assert seen == []


def test_iterating_what_a_callback_takes_is_an_error_at_once(edge, cloud):
    with (
        hc.Tiered(edge, cloud, on_correction=print) as tiered,
        pytest.raises(hc.Misconfigured, match="on_corr"),
    ):
        tiered.corrections()


# Async twins


def test_the_async_twins_answer_as_the_others_do(edge, cloud):
    async def ask(tiered):
        one = await tiered.ainfer(UNSURE)
        sure = await tiered.ainfer(hc.Request(inputs=SURE, id="7"))
        many = await tiered.ainfer_batch(batch(SURE, UNSURE), threshold=0.3)
        return one, sure, many

    with hc.Tiered(edge, cloud) as tiered:
        one, sure, many = asyncio.run(ask(tiered))
    assert one.tier is hc.Tier.CLOUD
    assert (sure.id, sure.tier) == ("7", hc.Tier.EDGE)
    assert [r.tier.value for r in many] == ["edge", "edge"]


def test_however_many_await_at_once_none_waits_longer_than_its_deadline(edge):
    silent = Cloud(after_s=30.0)

    async def ask(tiered):
        return await asyncio.gather(*(tiered.ainfer(UNSURE) for _ in range(150)))

    with hc.Tiered(edge, silent, deadline_s=0.3, breaker=None) as tiered:
        replies, took_s = timed(lambda: asyncio.run(ask(tiered)))
        silent.let_go.set()
    assert {r.reason for r in replies} <= {hc.Reason.DEADLINE, hc.Reason.REFUSED}
    assert took_s < 0.3 + 2 * SLACK_S


# Labels, inputs and confidence of one's own


def test_labels_in_another_order_are_put_into_the_edges(edge):
    other = softmax_model(labels=("dog", "cat", "bee", "ant"))
    with hc.Tiered(edge, other) as tiered:
        for reply in (tiered.infer(UNSURE), tiered.infer_batch(batch(UNSURE))[0]):
            assert (reply.tier, reply.index, reply.label) == (hc.Tier.CLOUD, 3, "dog")
            np.testing.assert_allclose(reply.scores, [0.2, 0.2, 0.2, 0.4], rtol=1e-5)
            np.testing.assert_allclose(reply.outputs["probabilities"], [0.4, 0.2, 0.2, 0.2], rtol=1e-5)


def test_corrections_too_speak_the_edges_labels(edge):
    other = softmax_model(labels=("dog", "cat", "bee", "ant"))
    with hc.Tiered(edge, other, want_async=True) as tiered:
        tiered.infer(UNSURE)
        (correction,) = tiered.corrections(timeout_s=0.5)
    assert (correction.prediction.index, correction.prediction.label) == (3, "dog")


def test_a_label_map_joins_what_the_cloud_tells_apart(edge):
    other = softmax_model(labels=("worker ant", "queen ant", "bee", "cat"))
    names = {"worker ant": "ant", "queen ant": "ant"}
    with hc.Tiered(edge, other, label_map=names) as tiered:
        reply = tiered.infer(row(0, 0.4))
    assert (reply.label, reply.index) == ("ant", 0)
    np.testing.assert_allclose(reply.scores, [0.6, 0.2, 0.2, 0.0], atol=1e-6)
    assert reply.confidence == pytest.approx(0.6, rel=1e-5)


def test_labels_that_do_not_match_are_an_error_at_once(edge):
    with pytest.raises(hc.Misconfigured, match="'wolf' is not known at the edge") as caught:
        hc.Tiered(edge, softmax_model(labels=("ant", "bee", "cat", "wolf")))
    assert caught.value.code == "HAL-204"
    assert not our_threads()


def test_to_cloud_gives_the_cloud_another_array_once_a_call(edge, cloud):
    made = []

    def widen(x):
        made.append(len(x))
        return np.repeat(x, 2, axis=0)[::2] * 1.0

    with hc.Tiered(edge, cloud, to_cloud=widen, budget=hc.EscalationBudget(share=0.0, burst=1)) as tiered:
        replies = tiered.infer_batch(batch(UNSURE, SURE, row(2, 0.3)))
    assert made == [2]
    assert [r.reason.value for r in replies] == ["budget", "confident", "escalated"]
    (sent,) = cloud.batches
    np.testing.assert_allclose(sent, row(2, 0.3)[None])


def test_a_confidence_of_ones_own_gates_and_is_what_the_edge_replies(edge, cloud):
    def smallest_first(outputs):
        return 1 - outputs["probabilities"].max(axis=1)

    with hc.Tiered(edge, cloud, confidence=smallest_first, threshold=0.5) as tiered:
        reply = tiered.infer(UNSURE)
        assert reply.tier is hc.Tier.EDGE
        assert reply.confidence == pytest.approx(0.6, rel=1e-5)
        assert (reply.label, reply.index) == ("ant", 0)
        assert tiered.infer(SURE).confidence == pytest.approx(0.94)


@pytest.mark.parametrize("given", [0.5, np.ones((2, 1)), np.ones(3)])
def test_a_confidence_of_the_wrong_shape_is_named(edge, cloud, given):
    with hc.Tiered(edge, cloud, confidence=lambda outputs: given) as tiered:
        with pytest.raises(hc.Misconfigured, match=r"shape \[2\]"):
            tiered.infer_batch(batch(SURE, UNSURE))


def test_a_confidence_that_is_nan_is_never_enough(edge, cloud):
    with hc.Tiered(edge, cloud, confidence=lambda o: np.full(1, np.nan), threshold=0.0) as tiered:
        assert tiered.infer(SURE).tier is hc.Tier.CLOUD


def regressor():
    graph = helper.make_graph(
        [helper.make_node("ReduceMax", ["x"], ["top"], axes=[1], keepdims=1)],
        "regressor",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", CLASSES])],
        [helper.make_tensor_value_info("top", TensorProto.FLOAT, ["N", 1])],
    )
    return hc.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def test_models_without_class_scores_are_tiered_by_a_confidence_of_ones_own():
    def distance(outputs):
        return np.clip(outputs["top"][:, 0], 0, 1)

    with hc.Tiered(regressor(), lambda x: {"top": np.full((len(x), 1), 7.0)}, confidence=distance) as tiered:
        sure = tiered.infer(np.full(CLASSES, 0.9, np.float32))
        up = tiered.infer(np.zeros(CLASSES, np.float32))
    assert (sure.tier, sure.index, sure.label, sure.scores) == (hc.Tier.EDGE, None, None, None)
    assert sure.value["top"] == pytest.approx([0.9])
    assert (up.tier, up.value["top"].tolist(), up.confidence) == (hc.Tier.CLOUD, [7.0], 1.0)


def test_scores_that_nobody_named_are_an_error_that_says_how(cloud):
    with pytest.raises(hc.Misconfigured, match="scores=") as caught:
        hc.Tiered(regressor(), cloud)
    assert caught.value.code == "HAL-202"


def test_a_row_whose_scores_are_nan_goes_up_and_names_no_class_where_it_cannot(cloud):
    edge = softmax_model(allow_nan=True)
    bad = np.array([np.nan, 0, 0, 0], np.float32)
    said = lambda x: verdict_on(np.nan_to_num(x))  # noqa: E731
    with hc.Tiered(edge, said, threshold=0.0) as tiered:
        assert tiered.infer(bad).tier is hc.Tier.CLOUD
        assert [r.tier.value for r in tiered.infer_batch(batch(SURE, bad))] == ["edge", "cloud"]
    with hc.Tiered(edge, cloud, mode="edge_only") as tiered:
        reply = tiered.infer(bad)
    assert (reply.value, reply.label, reply.index, reply.confidence) == (None, None, None, 0.0)


# Requests and outcomes


class Sink:
    def __init__(self, error=None):
        self.outcomes, self.error = [], error

    def record(self, outcome):
        self.outcomes.append(outcome)
        if self.error:
            raise self.error


def test_what_a_request_says_of_itself_is_recorded_with_what_was_decided(edge, cloud):
    sink = Sink()
    request = hc.Request(inputs=UNSURE, id="r-1", captured_s=12.5, source="camera 3", group="patient 9")
    with hc.Tiered(edge, cloud, outcomes=sink) as tiered:
        reply = tiered.infer(request)
        tiered.infer_batch(batch(SURE, UNSURE))
    assert reply.id == "r-1"
    first = sink.outcomes[0]
    assert (first.id, first.captured_s, first.source, first.group) == ("r-1", 12.5, "camera 3", "patient 9")
    for name in ("tier", "reason", "degraded", "confidence", "index", "label", "edge_s", "gate_s", "cloud_s"):
        assert getattr(first, name) == getattr(reply, name)
    assert [each.reason.value for each in sink.outcomes] == ["escalated", "confident", "escalated"]


def test_a_request_without_an_id_gets_one(edge, cloud):
    with hc.Tiered(edge, cloud) as tiered:
        assert uuid.UUID(tiered.infer(hc.Request(inputs=SURE)).id).version == 7


def test_a_requests_id_is_its_corrections(edge, cloud):
    with hc.Tiered(edge, cloud, want_async=True) as tiered:
        tiered.infer(hc.Request(inputs=UNSURE, id="r-2"))
        assert [each.id for each in tiered.corrections(timeout_s=0.5)] == ["r-2"]


def test_an_error_in_the_sink_is_counted_and_never_reaches_the_caller(edge, cloud):
    with hc.Tiered(edge, cloud, outcomes=Sink(RuntimeError("full"))) as tiered:
        assert tiered.infer(SURE).tier is hc.Tier.EDGE
        assert len(tiered.infer_batch(batch(SURE, UNSURE))) == 2
        assert tiered.health().sink_errors == 3


# Clouds that misbehave


BAD_RETURNS = {
    "None": (lambda x: None, "shape"),
    "text": (lambda x: "hello", "shape"),
    "a row too many": (lambda x: np.full((len(x) + 1, 4), 0.25), "rows"),
    "a class too many": (lambda x: np.full((len(x), 5), 0.2), "classes"),
    "NaN": (lambda x: np.full((len(x), 4), np.nan), "NaN"),
    "logits": (lambda x: np.full((len(x), 4), 5.0), "sum to 1"),
    "letters": (lambda x: np.full((len(x), 4), "a"), "class scores"),
    "nothing": (lambda x: {}, "class scores"),
    "another output of other length": (lambda x: {"a": np.full((len(x), 4), 0.25), "b": np.zeros(7)}, "rows"),
    "two score outputs": (lambda x: dict.fromkeys("ab", np.full((len(x), 4), 0.25)), "which"),
    "an error": (lambda x: 1 / 0, "ZeroDivisionError"),
    "an exit": (lambda x: sys.exit(3), "SystemExit"),
}


@pytest.mark.parametrize("what", BAD_RETURNS)
def test_whatever_a_cloud_returns_the_edge_answers_and_the_reason_is_right(edge, what):
    returns, word = BAD_RETURNS[what]
    reason = "refused" if what in ("an error", "an exit") else "invalid_answer"
    with hc.Tiered(edge, Cloud(trouble=returns)) as tiered:
        for reply in (tiered.infer(UNSURE), tiered.infer_batch(batch(SURE, UNSURE))[1]):
            assert (reply.tier, reply.reason.value, reply.degraded) == (hc.Tier.EDGE, reason, True)
            assert reply.label == "ant"
        assert word in tiered.health().failure
        assert list(tiered.corrections(timeout_s=0.05)) == []


def test_the_breaker_opens_spares_the_cloud_and_notices_recovery_within_a_probe_interval(edge):
    cloud = Cloud(trouble=lambda x: 1 / 0)
    limits = hc.BreakerLimits(consecutive_failures=3, probe_interval_s=0.3)
    with hc.Tiered(edge, cloud, breaker=limits) as tiered:
        reasons = [tiered.infer(UNSURE).reason.value for _ in range(6)]
        assert reasons == ["refused"] * 3 + ["breaker_open"] * 3
        assert len(cloud.batches) == 3
        assert tiered.health().breaker == "open"
        cloud.trouble = None
        began_s = time.monotonic()
        eventually(lambda: tiered.infer(UNSURE).tier is hc.Tier.CLOUD)
        assert time.monotonic() - began_s < 0.3 + SLACK_S
        assert tiered.health().breaker == "closed"
        assert tiered.health().failure is None


def test_a_probe_that_is_swallowed_does_not_keep_the_breaker_open(edge):
    cloud = Cloud(trouble=lambda x: 1 / 0)
    limits = hc.BreakerLimits(consecutive_failures=1, probe_interval_s=0.2)
    with hc.Tiered(edge, cloud, breaker=limits, want_async=True) as tiered:
        tiered.infer(UNSURE)
        eventually(lambda: tiered.health().breaker == "open")
        cloud.trouble = lambda x: cloud.let_go.wait(30)
        eventually(lambda: tiered.infer(UNSURE).reason is hc.Reason.PENDING)  # the probe, never answered
        eventually(lambda: len(cloud.batches) == 2)
        cloud.trouble = None
        eventually(lambda: tiered.health().breaker == "closed" or not tiered.infer(UNSURE), within_s=1.0)
        cloud.let_go.set()


def test_the_breaker_can_be_left_out(edge):
    cloud = Cloud(trouble=lambda x: 1 / 0)
    with hc.Tiered(edge, cloud, breaker=None) as tiered:
        assert {tiered.infer(UNSURE).reason.value for _ in range(30)} == {"refused"}
    assert len(cloud.batches) == 30


def test_what_cannot_arrive_in_time_is_not_tried(edge):
    slow = Cloud(after_s=0.4)
    with hc.Tiered(edge, slow, deadline_s=5.0) as tiered:
        for _ in range(5):
            assert tiered.infer(UNSURE).tier is hc.Tier.CLOUD
        reply, took_s = timed(lambda: tiered.infer(UNSURE, deadline_s=0.25))
        assert (reply.reason, reply.degraded) == (hc.Reason.LINK_TOO_SLOW, True)
        assert took_s < 0.25
        assert len(slow.batches) == 5
        assert tiered.health().link_s == pytest.approx(0.4, abs=0.1)
        assert tiered.infer(UNSURE).tier is hc.Tier.CLOUD


# Bad arguments and closing


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ({"threshold": 80}, "HAL-101", ["threshold", "80", "Did you mean 0.8?"]),
        ({"threshold": -0.1}, "HAL-101", ["threshold", "-0.1"]),
        ({"threshold": float("nan")}, "HAL-101", ["threshold", "nan"]),
        ({"threshold": "high"}, "HAL-101", ["threshold", "'high'"]),
        ({"deadline_s": 0}, "HAL-101", ["deadline_s", "0"]),
        ({"deadline_s": -1}, "HAL-101", ["deadline_s", "-1"]),
        ({"deadline_s": float("nan")}, "HAL-101", ["deadline_s", "nan"]),
        ({"deadline_s": 1e10}, "HAL-101", ["deadline_s"]),
        ({"deadline_s": "1s"}, "HAL-101", ["deadline_s", "'1s'"]),
        ({"temperature": 0}, "HAL-101", ["temperature"]),
        ({"class_thresholds": {"ant": 80}}, "HAL-101", ["class_thresholds", "0.8"]),
        ({"class_thresholds": {"wolf": 0.5}}, "HAL-102", ["'wolf'", "ant"]),
        ({"class_thresholds": {4: 0.5}}, "HAL-102", ["4"]),
        ({"class_thresholds": {-1: 0.5}}, "HAL-102", ["-1"]),
        ({"mode": "prefer_moon"}, "HAL-102", ["prefer_moon", "prefer_edge, edge_only, cloud_only"]),
        ({"score": "energy"}, "HAL-102", ["energy", "max_softmax, margin, entropy"]),
        ({"budget": 0.1}, "HAL-102", ["EscalationBudget"]),
        ({"policy": hc.Policy(), "threshold": 0.5}, "HAL-102", ["policy="]),
        ({"policy": hc.Policy(), "temperature": 2.0}, "HAL-102", ["policy="]),
        ({"policy": hc.Policy(), "class_thresholds": {0: 0.5}}, "HAL-102", ["policy="]),
        ({"policy": hc.Policy(class_thresholds={9: 0.5})}, "HAL-102", ["9"]),
    ],
)
def test_a_bad_argument_is_one_line_that_names_it(edge, cloud, arguments, code, words):
    with pytest.raises(hc.Misconfigured) as caught:
        hc.Tiered(edge, cloud, **arguments)
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not our_threads()


@pytest.mark.parametrize(("name", "value"), [("edge", "edge.onnx"), ("cloud", "http://x"), ("cloud", None)])
def test_a_tier_that_predicts_nothing_is_named(edge, cloud, name, value):
    tiers = {"edge": edge, "cloud": cloud} | {name: value}
    with pytest.raises(hc.Misconfigured, match=name) as caught:
        hc.Tiered(tiers["edge"], tiers["cloud"])
    assert caught.value.code == "HAL-102"


@pytest.mark.parametrize("sample", [SURE, UNSURE])
@pytest.mark.parametrize("setting", [{"threshold": 80}, {"deadline_s": -1}, {"deadline_s": float("inf")}])
def test_a_bad_override_is_an_error_whatever_the_row(edge, cloud, sample, setting):
    with hc.Tiered(edge, cloud) as tiered:
        with pytest.raises(hc.Misconfigured, match=next(iter(setting))):
            tiered.infer(sample, **setting)
        with pytest.raises(hc.Misconfigured, match=next(iter(setting))):
            tiered.infer_batch(batch(sample), **setting)


@pytest.mark.parametrize("mode", list(hc.Mode))
@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (np.zeros(5, np.float32), "HAL-301"),
        (np.zeros(4, np.float64), "HAL-302"),
        (np.full(4, np.nan, np.float32), "HAL-303"),
    ],
)
def test_a_sample_that_the_model_cannot_take_is_refused_in_every_mode(edge, cloud, mode, sample, code):
    with hc.Tiered(edge, cloud, mode=mode) as tiered:
        for ask in (tiered.infer, lambda x: tiered.infer(hc.Request(inputs=x))):
            with pytest.raises(hc.Rejected) as caught:
                ask(sample)
            assert caught.value.code == code
    assert cloud.batches == []


def test_an_empty_batch_is_refused(edge, cloud):
    with hc.Tiered(edge, cloud) as tiered, pytest.raises(hc.Rejected) as caught:
        tiered.infer_batch(np.zeros((0, 4), np.float32))
    assert caught.value.code == "HAL-303"


@pytest.mark.parametrize("mode", list(hc.Mode))
def test_once_closed_every_way_of_asking_is_refused(edge, cloud, mode):
    tiered = hc.Tiered(edge, cloud, mode=mode)
    tiered.close()
    tiered.close()
    asks = [
        lambda: tiered.infer(SURE),
        lambda: tiered.infer(UNSURE),
        lambda: tiered.infer(UNSURE, threshold=0.1),
        lambda: tiered.infer_batch(batch(SURE)),
        lambda: asyncio.run(tiered.ainfer(SURE)),
        lambda: asyncio.run(tiered.ainfer_batch(batch(SURE))),
    ]
    for ask in asks:
        with pytest.raises(hc.Rejected) as caught:
            ask()
        assert caught.value.code == "HAL-406"


def test_closing_answers_those_who_wait_and_leaves_no_thread_and_no_socket(edge):
    before, sockets = our_threads(), len(psutil.Process().net_connections())
    slow = Cloud(after_s=0.6)
    tiered = hc.Tiered(edge, slow, deadline_s=20.0)
    replies = []
    asyncio.run(tiered.ainfer(SURE))
    with in_threads(lambda _: replies.append(tiered.infer(UNSURE)), 8):
        time.sleep(0.1)
        began_s = time.monotonic()
        tiered.close()
    assert time.monotonic() - began_s < 2.0
    assert {(r.tier.value, r.reason.value) for r in replies} <= {("edge", "refused"), ("cloud", "escalated")}
    assert len(replies) == 8
    assert our_threads() <= before
    assert len(psutil.Process().net_connections()) == sockets


def test_a_callback_may_close_it(edge, cloud):
    closed = []
    tiered = hc.Tiered(
        edge, cloud, want_async=True, on_correction=lambda c: (tiered.close(), closed.append(c))
    )
    tiered.infer(UNSURE)
    eventually(lambda: closed)
    eventually(lambda: not our_threads())


# Many at once


def test_thirty_two_threads_get_one_reply_for_each_call_and_the_counts_add_up(edge):
    cloud, heard, sink = Cloud(), [], Sink()
    threads, calls = 32, 200
    rows = [row(i % CLASSES, 0.97 if i % 3 else 0.4) for i in range(12)]
    by_thread = [[] for _ in range(threads)]

    def ask(number):
        for turn in range(calls):
            at = (number + turn) % len(rows)
            reply = tiered.infer(rows[at], want_async=turn % 5 == 0)
            by_thread[number].append((at, reply))

    with hc.Tiered(
        edge, cloud, deadline_s=20.0, on_correction=heard.append, outcomes=sink, breaker=None
    ) as tiered:
        with in_threads(ask, threads):
            pass
        pending = [r for each in by_thread for _, r in each if r.reason is hc.Reason.PENDING]
        eventually(lambda: len(heard) >= len(pending))
        health = tiered.health()
    everything = [pair for each in by_thread for pair in each]
    assert len(everything) == threads * calls
    assert len({reply.id for _, reply in everything}) == threads * calls
    for at, reply in everything:
        wanted = (at % CLASSES + (reply.tier is hc.Tier.CLOUD)) % CLASSES
        assert reply.label == LABELS[wanted]
        assert (reply.reason is hc.Reason.CONFIDENT) == (at % 3 != 0)
    assert sum(health.replies.values()) == threads * calls
    assert {each.id for each in heard} == {reply.id for reply in pending}
    assert len(heard) == len(pending) == health.corrections
    assert cloud.rows == sum(at % 3 == 0 for at, _ in everything)
    assert sorted(each.id for each in sink.outcomes) == sorted(reply.id for _, reply in everything)


def test_what_a_tiered_is_can_be_read(edge, cloud):
    with hc.Tiered(edge, cloud, threshold=0.7) as tiered:
        for word in ("softmax", "InProcessUpstream Cloud", "prefer_edge", "0.7", "0.3 s"):
            assert word in repr(tiered)
