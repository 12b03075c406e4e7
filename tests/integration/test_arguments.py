"""What cannot be meant is refused in one line that names it, when it is given and not when it is used."""

import itertools
import re

import numpy as np
import pytest

import halocline as hc


@pytest.fixture(scope="module")
def edge():
    return hc.load(hc.samples.digits().edge_path)


def guess(batch):
    return np.eye(10, dtype=np.int64)[np.zeros(len(batch), int)]


@pytest.mark.parametrize("score", ["max_softmax", "margin", "entropy"])
def test_a_policy_takes_a_score_by_its_name(score):
    assert hc.Policy(score=score).score is hc.Score(score)
    assert hc.Policy(score=score) == hc.Policy(score=hc.Score(score))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: hc.Policy(score="energy"),
        lambda: hc.Policy(temperature="1"),
        lambda: hc.EscalationBudget(share="0.1"),
        lambda: hc.EscalationBudget(per_minute=float("inf")),
        lambda: hc.BreakerLimits(consecutive_failures="5"),
        lambda: hc.BreakerLimits(window=2.5),
        lambda: hc.connect("https://hub/v2/models/m", max_connections="4"),
        lambda: hc.connect("https://hub/v2/models/m", max_connections=1.5),
        lambda: hc.connect("https://hub/v2/models/m", late_s=float("nan")),
        lambda: hc.connect("https://hub/v2/models/m", labels="abc"),
        lambda: hc.connect("https://hub/v2/models/m", headers={"A": 5}),
        lambda: hc.connect("http://127.0.0.1/v2/models/m", ca="ca.pem"),
        lambda: hc.connect(None),
    ],
    ids=map(str, itertools.count()),
)
def test_a_setting_of_the_wrong_kind_is_refused(wrong):
    with pytest.raises(hc.Misconfigured) as caught:
        wrong()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"breaker": 5},
        {"to_cloud": 5},
        {"on_correction": 5},
        {"outcomes": 5},
        {"confidence": 5},
        {"policy": 0.8},
        {"class_thresholds": [0.5]},
        {"class_thresholds": {None: 0.5}},
        {"mode": "cloud_only", "want_async": True},
    ],
    ids=map(str, itertools.count()),
)
def test_tiered_refuses_what_would_fail_only_later(edge, wrong):
    with pytest.raises(hc.Misconfigured, match=re.compile("HAL-10[12]")):
        hc.Tiered(edge, guess, **wrong)


def test_an_error_in_to_cloud_costs_no_caller_the_edge_answer(edge):
    def broken(batch):
        raise KeyError("pixels")

    with hc.Tiered(edge, guess, threshold=1.0, to_cloud=broken) as tiered:
        reply = tiered.infer(hc.samples.digits().x[0])
        assert (reply.reason, reply.tier, reply.degraded) == (hc.Reason.NOT_SENT, hc.Tier.EDGE, True)
        replies = tiered.infer_batch(hc.samples.digits().x[:4])
        assert {each.reason for each in replies} == {hc.Reason.NOT_SENT}


def test_a_function_may_answer_in_whole_numbers(edge):
    with hc.Tiered(edge, guess, threshold=1.0, deadline_s=2.0) as tiered:
        assert tiered.infer(hc.samples.digits().x[0]).reason == hc.Reason.ESCALATED


@pytest.mark.parametrize(
    "call", [hc.Tiered, lambda edge, cloud: hc.tune(edge, cloud, np.zeros((2, 64), "f"))]
)
def test_a_place_where_a_model_belongs_is_answered_with_what_makes_one_of_it(call, edge):
    with pytest.raises(hc.Misconfigured, match=re.escape('Try hc.load("edge.onnx")')):
        call("edge.onnx", guess)
    with pytest.raises(hc.Misconfigured, match=re.escape("Try hc.connect('https://hub/v2/models/m')")):
        call(edge, "https://hub/v2/models/m")
    with pytest.raises(hc.Misconfigured, match=re.escape('got 5. Try hc.load("cloud.onnx")')):
        call(edge, 5)
