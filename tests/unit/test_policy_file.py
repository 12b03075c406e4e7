"""A policy file reads back as it was written, people can review it, and its faults are said plainly."""

import os
import tomllib

import msgspec
import numpy as np
import pytest

from halocline.decide.allowance import EscalationBudget
from halocline.decide.gate import Policy, Score
from halocline.decide.personal import Personal, Start
from halocline.decide.promise import Promise
from halocline.errors import Misconfigured
from halocline.stats.novelty import Novelty
from halocline.wire import policy_file, toml
from halocline.wire.policy_file import PolicyFile, diff_policy, read_policy, write_policy

NOVELTY = Novelty("features", np.ones((2, 3), np.float32), np.eye(3, dtype=np.float32), 3.25)
PROMISE = Promise(
    scope="rows", reason='of "500" rows\n— 3 lost', max_loss=0.01, alpha=0.1, rows=500, class_floors={1: 0.9}
)


def made(**more):
    policy = Policy(
        threshold=0.71,
        score=Score.MARGIN,
        temperature=1.37,
        class_thresholds={2: 0.9, 10: 0.5},
        budget=EscalationBudget(share=0.3),
        **more,
    )
    return PolicyFile(
        policy=policy,
        promise=PROMISE,
        edge_digest="sha256:" + "ab" * 32,
        cloud="cloud@3",
        cloud_digest="sha256:" + "cd" * 32,
        data_digest="sha256:" + "ef" * 32,
        tuned="2026-11-24",
        halocline="0.1.0",
        disagreement=0.031,
    )


def same(one, other):
    return (
        diff_policy(one, other) == []
        and msgspec.structs.replace(one, policy=Policy()) == msgspec.structs.replace(other, policy=Policy())
        and msgspec.structs.replace(one.policy, novelty=None)
        == msgspec.structs.replace(other.policy, novelty=None)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.toml"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"share": 0.27},
        {"novelty": NOVELTY},
        {"personal": Personal(max_loss=0.02, start=Start.CLOUD, lowest=0.3, locked=True)},
    ],
)
def test_what_is_written_reads_back(path, more):
    write_policy(path, made(**more))
    again = read_policy(path)
    assert same(again, made(**more))
    if "novelty" in more:
        assert again.policy.novelty.output == "features"
        assert again.policy.novelty.cut == 3.25
        np.testing.assert_array_equal(again.policy.novelty.means, NOVELTY.means)
        np.testing.assert_array_equal(again.policy.novelty.precision, NOVELTY.precision)


def test_a_person_can_read_it(path):
    write_policy(path, made())
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# A Halocline policy")
    told = tomllib.loads(text)
    assert told["policy"]["threshold"] == 0.71
    assert told["policy"]["score"] == "margin"
    assert told["promise"]["max_loss"] == 0.01
    assert told["made_with"]["cloud"] == "cloud@3"


def test_the_arrays_lie_beside_it_and_go_with_it(path):
    write_policy(path, made(novelty=NOVELTY))
    (first,) = path.parent.glob("policy.novelty-*.npz")
    write_policy(path, made(novelty=msgspec.structs.replace(NOVELTY, means=NOVELTY.means + 1)))
    (second,) = path.parent.glob("policy.novelty-*.npz")
    assert first != second
    write_policy(path, made())
    assert sorted(each.name for each in path.parent.iterdir()) == ["policy.toml"]


def test_a_write_that_fails_leaves_the_policy_that_was_there(path, monkeypatch):
    write_policy(path, made())
    before = path.read_bytes()

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(policy_file.os, "fsync", broken)
    with pytest.raises(Misconfigured, match="No space left") as caught:
        write_policy(path, made(share=0.2))
    assert caught.value.code == "HAL-110"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["policy.toml"]


def test_a_policy_changed_by_hand_still_decides_and_promises_nothing(path):
    write_policy(path, made(novelty=NOVELTY))
    path.write_text(path.read_text().replace("threshold = 0.71", "threshold = 0.4"))
    again = read_policy(path)
    assert again.policy.threshold == 0.4
    assert again.promise.scope == "none"
    assert "changed since it was tuned" in again.promise.reason


def test_what_a_device_may_learn_is_set_by_hand_and_the_fleets_promise_stays(path):
    write_policy(path, made())
    path.write_text(path.read_text() + "\n[policy.personal]\nmax_loss = 0.05\n")
    again = read_policy(path)
    assert again.policy.personal == Personal(max_loss=0.05)
    assert again.promise == PROMISE


def test_what_to_be_wary_of_stands_above_the_promise(path):
    write_policy(path, made(), ["copies: " + "they fake certainty " * 9, 'a label "x]\ny = 1\u2028" \ud800'])
    text = path.read_text()
    above = text.partition("\n[promise]")[0].rpartition("\n\n")[2].splitlines()
    assert above[0] == "# Be wary:"
    assert above[1].startswith("# - copies: they fake certainty they")
    assert above[2].startswith("#   ")
    assert above[-1].startswith('# - a label "x] y = 1')
    assert max(map(len, above)) <= 110
    assert read_policy(path).promise == PROMISE
    write_policy(path, made())
    assert "Be wary" not in path.read_text()


def lowered(file):
    return msgspec.structs.replace(file, policy=msgspec.structs.replace(file.policy, threshold=0.1))


def test_a_policy_changed_in_code_promises_nothing_and_saving_does_not_launder_it(path):
    write_policy(path, made())
    tuned = read_policy(path)
    changed = lowered(tuned)
    assert changed.promise.scope == "none"
    assert "changed since it was tuned" in changed.promise.reason
    for _ in range(2):
        write_policy(path, changed)
        changed = read_policy(path)
        assert changed.policy.threshold == 0.1
        assert changed.promise.scope == "none"
        assert "changed since it was tuned" in changed.promise.reason
        assert changed.policy_digest == tuned.policy_digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_loss = 0.01", "max_loss = 0.3"),
        ("alpha = 0.1", "alpha = 1e-6"),
        ('scope = "rows"', 'scope = "groups"'),
        ("rows = 500", "rows = 50000"),
        ("disagreement = 0.031", "disagreement = 1.0"),
        ('cloud = "cloud@3"', 'cloud = "cloud@4"'),
        ("policy_digest", "#"),
    ],
)
def test_a_promise_changed_by_hand_is_none(path, old, new):
    write_policy(path, made())
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert read_policy(path).promise.scope == "none"


def test_whole_numbers_and_single_precision_keep_the_promise(path):
    for value in (1, np.float32(0.71)):
        file = made()
        file = msgspec.structs.replace(
            file, policy=msgspec.structs.replace(file.policy, threshold=value), policy_digest=""
        )
        write_policy(path, file)
        assert read_policy(path).promise.scope == "rows"


def test_a_diff_names_each_setting_that_changed_and_no_other():
    old = made()
    assert diff_policy(old, old) == []
    new = msgspec.structs.replace(
        old,
        policy=msgspec.structs.replace(old.policy, threshold=0.65, budget=None),
        promise=msgspec.structs.replace(PROMISE, max_loss=0.02),
        policy_digest="",  # as tuned anew
    )
    assert diff_policy(old, new) == [
        "policy.threshold: 0.71 -> 0.65",
        "policy.budget.share: 0.3 -> not set",
        "policy.budget.burst: 10 -> not set",
        "promise.max_loss: 0.01 -> 0.02",
    ]


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("threshold = 0.71", "thresold = 0.71", "HAL-110", ["thresold", "$.policy", "threshold, score"]),
        ("threshold = 0.71", "threshold = 80", "HAL-101", ["threshold", "0.8?"]),
        ("threshold = 0.71", 'threshold = "high"', "HAL-110", ["$.policy.threshold", "float"]),
        ("threshold = 0.71\n", "", "HAL-110", ["threshold", "missing"]),
        ('"margin"', '"energy"', "HAL-110", ["energy", "score"]),
        ("version = 1", "version = 2", "HAL-110", ["version = 1", "newer"]),
        ("version = 1", "", "HAL-110", ["version = 1", "None"]),
        ("[promise]", "[promise", "HAL-110", ["not TOML", "line"]),
        ("burst = 10.0", "burst = 0", "HAL-101", ["burst"]),
        ('scope = "rows"', 'scope = "everyone"', "HAL-110", ["everyone"]),
        ("max_loss = 0.01", "max_loss = nan", "HAL-101", ["promise.max_loss", "nan"]),
        ("max_loss = 0.01", "max_loss = -1.0", "HAL-101", ["promise.max_loss", "-1"]),
        ("max_loss = 0.01\n", "", "HAL-110", ["promise.max_loss", "rows"]),
        ("alpha = 0.1\n", "", "HAL-110", ["promise.alpha", "rows"]),
        ("alpha = 0.1", "alpha = inf", "HAL-101", ["promise.alpha", "inf"]),
        ("disagreement = 0.031", "disagreement = nan", "HAL-101", ["disagreement", "nan"]),
        ("rows = 500", "rows = -5", "HAL-101", ["promise.rows", "-5"]),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(path, old, new, code, words):
    write_policy(path, made())
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(Misconfigured) as caught:
        read_policy(path)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    for word in [*words, "policy.toml"]:
        assert word in str(caught.value)


def test_a_file_that_is_not_there_not_text_or_too_large_is_said(path):
    with pytest.raises(Misconfigured, match=r"does not exist.*halocline tune"):
        read_policy(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Misconfigured, match="not text"):
        read_policy(path)
    path.write_bytes(b"#" * (toml.MAX_FILE_BYTES + 1))
    with pytest.raises(Misconfigured, match="no policy file"):
        read_policy(path)
    with pytest.raises(Misconfigured, match="cannot be written"):
        write_policy(path.parent / "nowhere" / "policy.toml", made())


def test_arrays_that_are_missing_damaged_or_of_another_policy_are_said(path):
    write_policy(path, made(novelty=NOVELTY))
    (side,) = path.parent.glob("*.npz")
    content = side.read_bytes()
    side.write_bytes(content[:-1] + b"x")
    with pytest.raises(Misconfigured, match=r"not the one that belongs to it.*Copy both files") as caught:
        read_policy(path)
    assert caught.value.code == "HAL-110"
    side.unlink()
    with pytest.raises(Misconfigured, match=r"policy\.novelty-\w+\.npz cannot be read"):
        read_policy(path)
