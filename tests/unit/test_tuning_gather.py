"""The cloud is asked about what it has not said yet, and about nothing else."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from tuning_parts import Cloud, EdgeModel, rows, table

from halocline.errors import Misconfigured, Rejected, Transient
from halocline.tuning.gather import gather
from halocline.tuning.labelled import Labelled

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


class Samples(Sequence):
    """Rows that are read when they are asked for; some cannot be."""

    def __init__(self, x, broken=()):
        self.x = x
        self.broken = broken
        self.most = self.held = 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, at):
        if at in self.broken:
            raise ValueError(f"{at}.jpg is damaged")
        return self.x[at]


def with_input(spec, said):
    known = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return SimpleNamespace(**(known | {"input": said}))


class Described(EdgeModel):
    """Takes raw samples, a list of them; each is text like "0.1 0.2 0.7"."""

    def __init__(self):
        super().__init__()
        self.spec = SimpleNamespace(
            **{name: getattr(self.spec, name) for name in self.spec.__struct_fields__}
        )
        self.spec.input = "text"
        self.chunks = []

    def conform_batch(self, batch):
        assert isinstance(batch, list)
        self.chunks.append(len(batch))
        try:
            return {"x": np.asarray([[float(each) for each in text.split()] for text in batch], np.float32)}
        except ValueError as exc:
            raise Rejected("HAL-303", str(exc)) from None


def test_samples_are_read_when_their_turn_comes_and_give_what_the_array_gives(tmp_path):
    whole = gather(EdgeModel(), Cloud(table(X, ANSWERS)), X, cache=False, batch_rows=100)
    cloud = Cloud(table(X, ANSWERS))
    lazy = gather(EdgeModel(), cloud, Samples(X), cache=tmp_path, batch_rows=100)
    assert cloud.rows == [100, 100, 100]
    assert np.array_equal(lazy.scores, whole.scores)
    assert np.array_equal(lazy.cloud_index, whole.cloud_index)
    assert np.array_equal(lazy.inputs["x"], whole.inputs["x"])
    again = Cloud(table(X, ANSWERS))
    gather(EdgeModel(), again, X, cache=tmp_path)
    assert again.rows == []  # a row is known by what travels, however it was given


def test_each_tier_makes_its_own_tensor_of_a_raw_sample():
    text = [" ".join(map(str, row)) for row in X.tolist()]
    edge = Described()
    seen = gather(edge, table(X, ANSWERS), text, cache=False, batch_rows=128)
    assert edge.chunks == [128, 128, 44]
    assert np.array_equal(seen.scores, X)
    cloud = Cloud(table(X[:, ::-1], ANSWERS))
    cloud.spec = with_input(cloud.spec, "text, the other way round")
    cloud.prepare = lambda samples: {"x": edge.conform_batch(samples)["x"][:, ::-1]}
    seen = gather(edge, cloud, text, cache=False)
    assert np.array_equal(seen.scores, X)
    assert np.array_equal(seen.cloud_index, ANSWERS.argmax(axis=1))
    with pytest.raises(Misconfigured, match="Leave to_cloud out"):
        gather(edge, cloud, text, cache=False, to_cloud=lambda x: x)


def test_a_sample_that_cannot_be_read_is_left_out_and_named():
    seen = gather(EdgeModel(), table(X, ANSWERS), Samples(X, broken={7, 299}), cache=False)
    rest = np.delete(np.arange(300), [7, 299])
    assert (seen.rows, seen.given) == (298, 300)
    assert np.array_equal(seen.scores, X[rest])
    assert np.array_equal(seen.places, rest)
    assert [each.row for each in seen.left_out] == [7, 299]
    assert "2 of the 300 samples could not be read and are left out: row 7: 7.jpg is damaged" in seen.notes[0]
    labelled = Labelled(TRUTH, None)
    labelled.read(seen.edge, TRUTH.max() + 1, seen.given)
    truth, _ = labelled.of(seen.places)
    assert truth is not None
    assert np.array_equal(truth.index, TRUTH[rest])
    with pytest.raises(Rejected, match=r"row 7: 7\.jpg is damaged"):
        gather(EdgeModel(), table(X, ANSWERS), Samples(X, broken={7}), cache=False, strict=True)


def test_where_no_sample_can_be_read_the_fault_is_told_at_once():
    samples = Samples(X, broken=range(300))
    with pytest.raises(Rejected, match=r"row 0: 0\.jpg is damaged"):
        gather(EdgeModel(), table(X, ANSWERS), samples, cache=False)
    with pytest.raises(Rejected, match=r"the first sample is the file a\.jpg: say what its input means"):
        gather(EdgeModel(), table(X, ANSWERS), ["a.jpg"] * 30, cache=False)


def test_a_sample_of_another_shape_is_left_out():
    samples = Samples([*X[:3], np.ones(4)])
    seen = gather(EdgeModel(), table(X, ANSWERS), samples, cache=False)
    assert (seen.rows, len(seen.left_out)) == (3, 1)
    assert seen.left_out[0].why == "it has the shape [4], and the first sample has [3]"
    with pytest.raises(Rejected, match="shape"):
        gather(EdgeModel(), table(X, ANSWERS), samples, cache=False, strict=True)
