"""The labels of the two tiers are matched by name, and a mismatch is an error that names them."""

import numpy as np
import pytest

from halocline.decide.labels import match_labels, to_edge_order
from halocline.errors import Misconfigured

EDGE = ("cat", "dog", "fox")


def test_the_same_labels_in_the_same_order_need_no_mapping():
    assert match_labels(EDGE, EDGE) is None
    scores = np.eye(3)
    assert to_edge_order(scores, None, 3) is scores


def test_another_order_is_put_right():
    mapping = match_labels(EDGE, ("fox", "cat", "dog"))
    assert mapping.tolist() == [2, 0, 1]
    assert to_edge_order(np.array([[0.7, 0.2, 0.1]]), mapping, 3).tolist() == [[0.2, 0.1, 0.7]]


def test_many_cloud_labels_may_mean_one_edge_label():
    mapping = match_labels(EDGE, ("tabby", "siamese", "dog", "fox"), {"tabby": "cat", "siamese": "cat"})
    got = to_edge_order(np.array([[0.4, 0.3, 0.2, 0.1]]), mapping, 3)
    np.testing.assert_allclose(got, [[0.7, 0.2, 0.1]])


def test_an_edge_label_that_a_label_map_leaves_out_scores_nothing():
    mapping = match_labels(EDGE, ("kitty", "dog"), {"kitty": "cat"})
    assert to_edge_order(np.array([[0.6, 0.4]]), mapping, 3).tolist() == [[0.6, 0.4, 0.0]]


def test_two_labels_may_swap_names():
    assert match_labels(("a", "b"), ("a", "b"), {"a": "b", "b": "a"}).tolist() == [1, 0]


@pytest.mark.parametrize(("edge", "cloud"), [(None, EDGE), (EDGE, None), (None, None)])
def test_without_labels_on_one_side_the_order_is_taken_to_be_the_same(edge, cloud):
    assert match_labels(edge, cloud) is None


@pytest.mark.parametrize(
    ("edge", "cloud", "label_map", "words"),
    [
        (
            EDGE,
            ("cat", "dog", "wolf"),
            None,
            ["'wolf' is not known at the edge", "'fox' is not known to the cloud"],
        ),
        (EDGE, ("cat", "dog"), None, ["'fox' is not known to the cloud"]),
        (EDGE, (*EDGE, "wolf", "elk"), None, ["'wolf', 'elk' are not known at the edge"]),
        (EDGE, ("a", "b", "c", "d", "e"), None, ["'a', 'b', 'c' and 2 more are"]),
        (EDGE, ("cat", "dog", "wolf"), {"wolf": "wolv"}, ["'wolf' is not known"]),
        (
            EDGE,
            (*EDGE, "wolf"),
            {"wolfe": "fox"},
            ["'wolfe' is no label of the cloud's", "'cat', 'dog', 'fox' and 1 more"],
        ),
        (EDGE, EDGE, {"vox": "fox"}, ["label_map", "'vox'"]),
        (None, EDGE, {"a": "b"}, ["label_map needs the labels of both tiers"]),
        (EDGE, None, {"a": "b"}, ["label_map needs the labels of both tiers"]),
    ],
)
def test_a_mismatch_names_the_labels_and_the_way_out(edge, cloud, label_map, words):
    with pytest.raises(Misconfigured) as caught:
        match_labels(edge, cloud, label_map)
    assert caught.value.code == "HAL-204"
    assert "\n" not in str(caught.value)
    for word in [*words, "label"]:
        assert word in str(caught.value)
