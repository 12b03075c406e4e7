"""Recorded rows become candidates by what the edge says of each; a row that cannot be used is named."""

import numpy as np
import pytest

import halocline as hc
from halocline.decide.gate import Policy
from halocline.errors import Rejected
from halocline.records import Reason, Tier
from halocline.stats.novelty import fit_novelty
from halocline.tuning.recorded import record


@pytest.fixture(scope="module")
def digits():
    return hc.samples.digits()


def test_a_candidate_says_what_the_edge_says(digits) -> None:
    edge = hc.load(digits.edge_path)
    seen = record(edge, Policy(threshold=0.9), digits.x[:300], groups=np.arange(300) % 2)
    alone = hc.Tiered(edge, edge, mode="edge_only")
    for at in (0, 7, 299):
        reply, sample = alone.infer(digits.x[at]), seen.samples[at]
        assert sample.label == reply.label
        assert sample.confidence == pytest.approx(reply.confidence, abs=1e-6)
        assert sample.reason == (Reason.CONFIDENT if reply.confidence >= 0.9 else Reason.ESCALATED)
        assert sample.tier == (Tier.EDGE if reply.confidence >= 0.9 else Tier.CLOUD)
        assert sample.payload_bytes == digits.x[at].nbytes
        assert sample.source == str(at % 2)


def test_novelty_is_measured_as_the_policy_says(digits) -> None:
    novelty = fit_novelty(digits.x[:200], digits.y[:200])
    seen = record(hc.load(digits.edge_path), Policy(novelty=novelty), [*digits.x[:5], *(digits.x[:5] * 9)])
    assert {sample.novelty_cut for sample in seen.samples} == {novelty.cut}
    strange = [sample.novelty > novelty.cut for sample in seen.samples]
    assert all(strange[5:])
    assert [sample.tier for sample in seen.samples[5:]] == [Tier.CLOUD] * 5


def test_a_row_that_cannot_be_used_is_named_and_the_rest_goes_on(digits) -> None:
    rows = digits.x[:10].copy()
    rows[3] = np.nan
    seen = record(hc.load(digits.edge_path), Policy(), rows, facts={"sensor.temp": np.arange(10.0)})
    assert [left.row for left in seen.left_out] == [3]
    assert seen.places == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [sample.sensors["temp"] for sample in seen.samples] == [float(place) for place in seen.places]


def test_where_no_row_can_be_used_it_says_why(digits) -> None:
    with pytest.raises(Rejected, match="none of the 4 rows"):
        record(hc.load(digits.edge_path), Policy(), np.full((4, *digits.x.shape[1:]), np.nan, np.float32))
