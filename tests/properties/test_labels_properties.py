"""Matching by name brings every score to its name, whatever the order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halocline.decide.labels import match_labels, to_edge_order

NAMES = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12, unique=True)


@given(edge=NAMES, data=st.data())
def test_any_order_of_the_same_names_is_put_right(edge, data):
    cloud = data.draw(st.permutations(edge))
    scores = np.random.default_rng(0).random((3, len(edge)))
    got = to_edge_order(scores, match_labels(edge, cloud), len(edge))
    for column, label in enumerate(cloud):
        np.testing.assert_array_equal(got[:, edge.index(label)], scores[:, column])


@given(edge=NAMES, data=st.data())
def test_a_label_map_loses_and_adds_no_probability(edge, data):
    cloud = [f"cloud {at}" for at in range(data.draw(st.integers(1, 12)))]
    label_map = {label: data.draw(st.sampled_from(edge)) for label in cloud}
    scores = np.random.default_rng(1).random((2, len(cloud)))
    got = to_edge_order(scores, match_labels(edge, cloud, label_map), len(edge))
    assert got.shape == (2, len(edge))
    np.testing.assert_allclose(got.sum(axis=1), scores.sum(axis=1))
    for at, label in enumerate(edge):
        own = [column for column, name in enumerate(cloud) if label_map[name] == label]
        np.testing.assert_allclose(got[:, at], scores[:, own].sum(axis=1))
