"""The cloud is asked about what it has not said yet, and about nothing else."""

import numpy as np
import pytest
from tuning_parts import Cloud, EdgeModel, rows, table

from halocline.errors import Misconfigured, Rejected, Transient
from halocline.tuning.gather import gather

X, TRUTH, ANSWERS = rows(300)


def test_both_tiers_are_read_in_the_edges_class_order(tmp_path):
    swapped = Cloud(lambda x: table(X, ANSWERS)(x)[:, ::-1], labels=("V", "S", "N"))
    seen = gather(EdgeModel(), swapped, X, cache=tmp_path)
    assert np.array_equal(seen.cloud_index, ANSWERS.argmax(axis=1))
    assert np.array_equal(seen.scores, X)
    assert (seen.cost.rows_asked, seen.cost.calls) == (300, 2)
    assert seen.cost.bytes_up > X.nbytes
    assert swapped.rows == [256, 44]


def test_a_second_time_no_call_is_made(tmp_path):
    gather(EdgeModel(), Cloud(table(X, ANSWERS)), X, cache=tmp_path)
    again = Cloud(table(X, ANSWERS))
    seen = gather(EdgeModel(), again, X, cache=tmp_path)
    assert again.rows == []
    assert (seen.cost.calls, seen.cost.bytes_up, seen.cost.rows_known) == (0, 0, 300)
    assert np.array_equal(seen.cloud_index, ANSWERS.argmax(axis=1))


def test_only_new_rows_are_asked_about_whatever_their_order(tmp_path):
    gather(EdgeModel(), Cloud(table(X, ANSWERS)), X[100:], cache=tmp_path)
    more = Cloud(table(X, ANSWERS))
    seen = gather(EdgeModel(), more, X[::-1], cache=tmp_path)
    assert sum(more.rows) == 100
    assert np.array_equal(seen.cloud_index, ANSWERS.argmax(axis=1)[::-1])


def test_equal_rows_are_asked_about_once():
    cloud = Cloud(table(X, ANSWERS))
    seen = gather(EdgeModel(), cloud, np.concatenate([X[:50]] * 3), cache=False)
    assert cloud.rows == [50]
    assert np.array_equal(seen.cloud_index, np.tile(ANSWERS[:50].argmax(axis=1), 3))


def test_another_version_of_the_cloud_is_asked_anew(tmp_path):
    gather(EdgeModel(), Cloud(table(X, ANSWERS)), X, cache=tmp_path)
    other = Cloud(table(X, ANSWERS[:, ::-1]), version="2")
    seen = gather(EdgeModel(), other, X, cache=tmp_path)
    assert sum(other.rows) == 300
    assert np.array_equal(seen.cloud_index, ANSWERS[:, ::-1].argmax(axis=1))


def test_what_came_before_a_failure_is_kept(tmp_path):
    broken = Cloud(table(X, ANSWERS), fails_from=2)
    with pytest.raises(Transient, match="200 of 300 rows are answered and kept: the next run") as caught:
        gather(EdgeModel(), broken, X, cache=tmp_path, batch_rows=100)
    assert caught.value.code == "HAL-404"
    mended = Cloud(table(X, ANSWERS))
    gather(EdgeModel(), mended, X, cache=tmp_path)
    assert sum(mended.rows) == 100


def test_a_cloud_that_says_later_is_asked_again():
    cloud = Cloud(table(X, ANSWERS), refuses=3)
    assert gather(EdgeModel(), cloud, X, cache=False).cost.rows_asked == 300
    with pytest.raises(Transient, match="429"):
        gather(EdgeModel(), Cloud(table(X, ANSWERS), refuses=99), X, cache=False)


def test_a_cloud_that_is_replaced_meanwhile_is_noticed():
    cloud = Cloud(table(X, ANSWERS))

    def replaced(batch):
        if len(cloud.rows) == 2:
            cloud.spec = Cloud(None, version="2").spec
        return table(X, ANSWERS)(batch)

    cloud.probs_of = replaced
    with pytest.raises(Transient, match="changed from m@1 to m@2 while it was being asked"):
        gather(EdgeModel(), cloud, X, cache=False, batch_rows=100)


def test_a_cloud_without_a_version_is_trusted_with_a_word_of_warning(tmp_path):
    first = gather(EdgeModel(), Cloud(table(X, ANSWERS), version=""), X, cache=tmp_path)
    again = gather(EdgeModel(), Cloud(table(X, ANSWERS), version=""), X, cache=tmp_path)
    assert not first.notes
    assert "states no version" in again.notes[0]


def test_the_answers_of_a_function_are_not_kept(tmp_path):
    asked = []

    def cloud(batch):
        asked.append(len(batch))
        return table(X, ANSWERS)(batch)

    for _ in range(2):
        gather(EdgeModel(), cloud, X, cache=tmp_path)
    assert sum(asked) == 600


def test_timing_the_cloud_costs_the_calls_that_it_says(tmp_path):
    gather(EdgeModel(), Cloud(table(X, ANSWERS)), X, cache=tmp_path)
    cloud = Cloud(table(X, ANSWERS))
    seen = gather(EdgeModel(), cloud, X, cache=tmp_path, latency_calls=7)
    assert cloud.rows == [1] * 7
    assert seen.cost.calls == seen.cloud_s.calls == 7
    assert 0 < seen.cloud_s.p50_s <= seen.cloud_s.p99_s


def test_a_function_that_fails_is_not_to_be_tried_again():
    def broken(batch):
        raise ValueError("no such column")

    for cloud, says in ((broken, "broken raised ValueError: no such column"), (lambda x: x[:1], "expected")):
        with pytest.raises(Rejected, match=says):
            gather(EdgeModel(), cloud, X)


def test_to_cloud_changes_what_travels(tmp_path):
    cloud = Cloud(lambda batch: table(X, ANSWERS)(batch / 2))
    seen = gather(EdgeModel(), cloud, X, to_cloud=lambda x: x * 2, cache=tmp_path)
    assert np.array_equal(seen.cloud_index, ANSWERS.argmax(axis=1))


def test_a_batch_of_no_rows_is_refused():
    with pytest.raises(Misconfigured, match="batch_rows must be 1 or more, got 0"):
        gather(EdgeModel(), Cloud(table(X, ANSWERS)), X, batch_rows=0)
