"""The real sets: nothing of the test part is known before, the same seed gives the same, faults are told."""

import lzma
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
from made_sets import BEATS_A_RECORD, SPEAKERS, WRITERS

from halocline.adapters.onnxruntime.loading import load
from halocline.demo.datasets import ecg, graph
from halocline.demo.datasets.catalogue import DATASETS, ECG, Dataset, speech_by_speaker
from halocline.demo.datasets.pair import Pair, trained_pair
from halocline.demo.datasets.rows import Parts, Rows
from halocline.errors import Misconfigured
from halocline.records import Array, ScoreKind

NAMES = tuple(DATASETS)
REAL = {"ecg": "mitbih_beats", "speech": "fsdd", "fashion-mnist": "fashion_mnist"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    return {name: write(folder / name) for name, write in WRITERS.items()}


@pytest.fixture(scope="module")
def pairs(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALOCLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return {name: trained_pair(quick(DATASETS[name]), made[name]) for name in NAMES}


def quick(dataset: Dataset) -> Dataset:
    """The same set with cloud models that train in a moment."""
    members = min(dataset.cloud.members, 2)
    cloud = msgspec.structs.replace(dataset.cloud, members=members, patches=min(dataset.cloud.patches, 8))
    return msgspec.structs.replace(dataset, cloud=cloud)


def parts_of(parts: Parts) -> list[Rows]:
    return [rows for rows in (parts.train, parts.tune, parts.test) if rows is not None]


def rows_of(rows: Rows) -> set[bytes]:
    return {row.tobytes() for row in rows.x}


def run(path: Path, x: Array) -> dict[str, Array]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {graph.INPUT: x}), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_no_row_is_in_two_parts(made: dict[str, Path], name: str) -> None:
    parts = parts_of(DATASETS[name].read(made[name]))
    seen = [rows_of(rows) for rows in parts]
    assert sum(map(len, seen)) == len(set().union(*seen)) == sum(map(len, parts))


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_finite_numbers_of_the_models_type(made: dict[str, Path], name: str) -> None:
    for rows in parts_of(DATASETS[name].read(made[name])):
        assert rows.x.dtype == np.float32
        assert np.isfinite(rows.x).all()
        assert len(rows.x) == len(rows.y) == len(rows.groups)
        assert set(rows.y.tolist()) <= set(range(len(DATASETS[name].labels)))


def test_no_patient_trains_and_tests(made: dict[str, Path]) -> None:
    parts = ECG.read(made["ecg"])
    assert set(parts.train.groups.tolist()) == set(ecg.DS1)
    assert set(parts.test.groups.tolist()) == set(ecg.DS2)
    assert not set(ecg.DS1) & set(ecg.DS2)


def test_a_beat_is_described_without_labels_or_other_patients(made: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "ecg"
    shutil.copytree(made["ecg"], folder)
    with np.load(folder / "meta.npz") as meta:
        arrays = dict(meta)
    arrays["label"] = arrays["label"][::-1].copy()
    np.savez(folder / "meta.npz", **arrays)
    before, after = ECG.read(made["ecg"]).test, ECG.read(folder).test
    assert (before.x == after.x).all()
    assert (before.y != after.y).any()
    keep = arrays["record"] == ecg.DS2[0]
    np.savez(folder / "meta.npz", **{name: array[keep] for name, array in arrays.items()})
    with lzma.open(made["ecg"] / "beats.npy.xz") as file:
        beats = np.load(file)[keep]
    with lzma.open(folder / "beats.npy.xz", "wb", preset=0) as file:
        np.save(file, beats)
    alone = ECG.read(folder).test
    assert (alone.x == before.x[before.groups == ecg.DS2[0]]).all()


def test_beats_of_all_patients_come_by_time(made: dict[str, Path]) -> None:
    test = ECG.read(made["ecg"]).test
    assert len(test) == len(ecg.DS2) * BEATS_A_RECORD
    assert len(set(test.groups[: len(ecg.DS2)].tolist())) > len(ecg.DS2) // 2


def test_takes_and_speakers_are_kept_apart(made: dict[str, Path]) -> None:
    by_take = DATASETS["speech"].read(made["speech"])
    assert by_take.tune is not None
    assert [len(each) for each in (by_take.train, by_take.tune, by_take.test)] == [120, 150, 150]
    for out in range(len(SPEAKERS)):
        parts = parts_of(speech_by_speaker(out).read(made["speech"]))
        groups = [set(rows.groups.tolist()) for rows in parts]
        assert groups[2] == {out}
        assert sum(map(len, groups)) == len(set().union(*groups)) == len(SPEAKERS)


@pytest.mark.parametrize("name", NAMES)
def test_both_models_say_what_their_scores_are_and_learnt_something(
    pairs: dict[str, Pair], name: str
) -> None:
    pair = pairs[name]
    for path in (pair.edge_path, pair.cloud_path):
        spec = load(path).spec
        assert spec.labels == pair.dataset.labels
        assert (spec.score_output, spec.score_kind) == (graph.SCORES, ScoreKind.PROBABILITIES)
        scores = run(path, pair.test.x)[graph.SCORES]
        assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
        majority = np.bincount(pair.test.y).max() / len(pair.test)
        assert (scores.argmax(axis=1) == pair.test.y).mean() > majority + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_edge_shows_its_last_hidden_layer_for_novelty(pairs: dict[str, Pair], name: str) -> None:
    outputs = run(pairs[name].edge_path, pairs[name].test.x[:3])
    assert outputs[graph.FEATURES].shape == (3, DATASETS[name].edge.hidden[-1])
    assert set(run(pairs[name].cloud_path, pairs[name].test.x[:3])) == {graph.SCORES}


def test_the_edge_models_fit_a_small_device(pairs: dict[str, Pair]) -> None:
    assert pairs["ecg"].edge_parameters == 8 * 32 + 32 + 32 * 16 + 16 + 16 * 5 + 5 == 901
    assert pairs["speech"].edge_parameters < 20_000
    assert pairs["fashion-mnist"].edge_parameters < 11_000
    for pair in pairs.values():
        assert pair.edge_path.stat().st_size < 4 * pair.edge_parameters + 4_000
        assert pair.edge_parameters < pair.cloud_parameters


@pytest.mark.parametrize("name", NAMES)
def test_the_threshold_sends_up_the_share_of_rows_that_no_model_was_trained_on(
    pairs: dict[str, Pair], name: str
) -> None:
    pair, evidence = pairs[name], pairs[name].evidence
    up = (evidence.confidence < pair.threshold).mean()
    assert abs(up - pair.dataset.share) < 0.02
    assert (pair.policy.threshold, pair.policy.share) == (pair.threshold, pair.dataset.share)
    assert evidence.cloud_correct is not None
    assert evidence.label is not None
    assert len(evidence.label) == len(evidence.confidence) == len(evidence.cloud_correct)


def test_evidence_of_heart_beats_is_of_ds1_alone(pairs: dict[str, Pair]) -> None:
    group = pairs["ecg"].evidence.group
    assert group is not None
    assert set(group.tolist()) == set(ecg.DS1)


def test_a_seed_decides_the_models_and_another_gives_others(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(cache: str, seed: int) -> tuple[bytes, bytes, float]:
        monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / cache))
        pair = trained_pair(quick(ECG), made["ecg"], seed=seed)
        return pair.edge_path.read_bytes(), pair.cloud_path.read_bytes(), pair.threshold

    first = trained("a", 1)
    assert trained("b", 1) == first
    assert trained("a", 2) != first


def test_a_filled_cache_is_read_and_other_data_are_not_taken_for_it(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    pair = trained_pair(quick(ECG), made["ecg"])
    before = pair.edge_path.stat().st_mtime_ns
    assert trained_pair(quick(ECG), made["ecg"]).edge_path.stat().st_mtime_ns == before
    pair.edge_path.write_bytes(b"damaged")
    assert load(trained_pair(quick(ECG), made["ecg"]).edge_path).spec.labels == ecg.LABELS
    other = trained_pair(quick(ECG), WRITERS["ecg"](tmp_path / "other", seed=1))
    assert other.edge_path.parent != pair.edge_path.parent
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_not_there_or_not_the_sets_is_one_line(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(Misconfigured) as caught:
            trained_pair(DATASETS[name], folder)
        assert caught.value.code == "HAL-304"
        assert str(folder) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("ecg", "beats.npy.xz"),
        ("ecg", "meta.npz"),
        ("fashion-mnist", "test_images.npy.xz"),
        ("fashion-mnist", "train_labels.npy"),
        ("speech", "index.csv"),
        ("speech", "ben.flac"),
    ],
)
def test_a_damaged_file_is_named(made: dict[str, Path], tmp_path: Path, name: str, damaged: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made[name], folder)
    whole = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(b"speaker\nada\n" if damaged == "index.csv" else whole[:60])
    with pytest.raises(Misconfigured, match=damaged) as caught:
        DATASETS[name].read(folder)
    assert caught.value.code == "HAL-304"


def test_an_index_of_other_recordings_is_noticed(made: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(made["speech"], tmp_path / "copy")
    shutil.copy(made["speech"] / "ada.flac", tmp_path / "copy" / "ben.flac")
    index = tmp_path / "copy" / "index.csv"
    index.write_text(index.read_text() + "ben,1,99,9999999,100,train\n")
    with pytest.raises(Misconfigured, match=r"ben.flac, which holds \d+"):
        DATASETS["speech"].read(tmp_path / "copy")


def test_without_the_sound_extra_the_error_names_the_pip_line(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halocline.extras.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"pip install 'halocline\[sound\]'"):
        DATASETS["speech"].read(made["speech"])


@pytest.mark.parametrize("name", NAMES)
def test_the_real_set_is_read_as_its_authors_split_it(root: Path, name: str) -> None:
    folder = root.parent / "shared" / "data" / REAL[name]
    if not folder.is_dir():
        pytest.skip(f"{REAL[name]} is not beside the repository")
    parts = DATASETS[name].read(folder)
    counts = {"ecg": [50_977, 49_668], "speech": [2_400, 300, 300], "fashion-mnist": [55_000, 5_000, 10_000]}
    assert [len(rows) for rows in parts_of(parts)] == counts[name]
    if name == "ecg":
        assert np.bincount(parts.test.y).tolist() == [44_218, 1_836, 3_219, 388, 7]
