"""What the share that goes up keeps to on any data: the stated slack, in any stretch, however it is cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from halocline.decide.gate import FARTHEST
from halocline.decide.track import SLACK_ROWS, start, track

SURENESS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]), st.floats(FARTHEST, 0))


@st.composite
def shifting(draw):
    """Rows in stretches, each of one kind: made to push the threshold from end to end."""
    stretches = draw(st.lists(st.tuples(SURENESS, SURENESS, st.integers(1, 4000)), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return np.concatenate([np.where(rng.random(n) < 0.5, one, other) for one, other, n in stretches])


@given(sureness=shifting(), share=st.floats(0, 1), threshold=st.floats(0, 1), data=st.data())
def test_any_stretch_holds_the_share_to_within_the_stated_slack(sureness, share, threshold, data):
    up, _ = track(start(threshold), share, sureness)
    begin = data.draw(st.integers(0, len(sureness) - 1))
    stretch = up[begin : data.draw(st.integers(begin + 1, len(sureness)))]
    assert abs(stretch.sum() - share * len(stretch)) <= SLACK_ROWS


@given(
    sureness=arrays(np.float64, st.integers(1, 60), elements=SURENESS),
    share=st.floats(0, 1),
    cut=st.integers(0, 60),
)
def test_how_the_rows_are_cut_into_batches_does_not_matter(sureness, share, cut):
    whole, end = track(start(0.7), share, sureness)
    first, middle = track(start(0.7), share, sureness[:cut])
    second, last = track(middle, share, sureness[cut:])
    assert np.concatenate([first, second]).tolist() == whole.tolist()
    assert last == end
