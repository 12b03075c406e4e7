"""What the cloud said is kept whole or not at all, and damage is never taken for an answer."""

import sqlite3

import numpy as np
import pytest

from halocline.errors import Misconfigured
from halocline.tuning.store import AnswerStore, digest_of, row_keys


def keys_of(*rows):
    return list(row_keys({"x": np.asarray(rows, dtype=np.float32)}))


def test_what_was_put_is_there_after_closing(tmp_path):
    one, two, three = keys_of([1, 2], [3, 4], [5, 6])
    store = AnswerStore(tmp_path / "new" / "folder", "a cloud")
    store.put({one: np.array([0.25, 0.75]), two: np.array([1.0, 0.0])})
    store.close()
    again = AnswerStore(tmp_path / "new" / "folder", "a cloud")
    known = again.get([one, two, three])
    assert set(known) == {one, two}
    assert known[one].scores.tolist() == [0.25, 0.75]
    assert known[one].scores.dtype == np.float64
    again.close()


def test_two_clouds_share_no_answer(tmp_path):
    (key,) = keys_of([1, 2])
    for identity, known in (("https://a v1", True), ("https://a v2", False)):
        store = AnswerStore(tmp_path, identity)
        if known:
            store.put({key: np.array([1.0])})
        assert bool(store.get([key])) is known
        store.close()


def test_more_keys_than_a_query_takes(tmp_path):
    keys = keys_of(*[[at, at] for at in range(1300)])
    store = AnswerStore(tmp_path, "c")
    store.put({key: np.array([float(at)]) for at, key in enumerate(keys)})
    assert [float(store.get(keys)[key].scores[0]) for key in keys] == list(range(1300))
    store.close()


@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path, damage):
    keys = keys_of(*[[at, at] for at in range(500)])
    store = AnswerStore(tmp_path, "c")
    store.put({key: np.arange(50.0) for key in keys})
    path = store.path
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"no database" * 1000)
    again = AnswerStore(tmp_path, "c")
    assert again.get(keys) == {}
    assert path.with_suffix(".damaged").exists()
    again.put({keys[0]: np.array([1.0])})
    assert set(again.get(keys)) == {keys[0]}
    again.close()


def test_half_a_transaction_is_none(tmp_path):
    one, two = keys_of([1], [2])
    store = AnswerStore(tmp_path, "c")
    with pytest.raises(sqlite3.Error):
        store.put({one: np.array([1.0]), None: np.array([1.0])})  # a row without a key cannot be stored
    assert store.get([one, two]) == {}
    store.close()


def test_a_folder_that_takes_no_file_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="HAL-111"):
        AnswerStore(tmp_path / "file" / "answers", "c")


def test_a_key_tells_values_types_and_shapes_apart_and_nothing_else():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    one, two = row_keys({"x": x})
    assert one != two
    assert list(row_keys({"x": x[1:]})) == [two]
    assert list(row_keys({"x": np.asfortranarray(x)})) == [one, two]
    others = [{"y": x}, {"x": x.astype(np.float64)}, {"x": x.reshape(2, 3, 1)}, {"x": x, "z": x}]
    assert len({key for other in others for key in row_keys(other)} | {one, two}) == 10
    words = np.array([["a"], ["b"]], dtype=object)
    assert len(set(row_keys({"x": words}))) == 2


def test_the_digest_of_data_changes_with_one_value():
    x = np.zeros((3, 2))
    before = digest_of({"x": x})
    assert before.startswith("sha256:")
    assert digest_of({"x": x.copy()}) == before
    x[2, 1] = 1e-300
    assert digest_of({"x": x}) != before
