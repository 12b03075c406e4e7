"""A program that reads late verdicts gets each once, or is told how many it missed."""

import json

import numpy as np
import pytest

from halocline.records import Anomaly, Boxes, Correction, ModelRef, Prediction
from halocline.serving.late import LateVerdicts
from halocline.wire.late import encode_late


def late(name: str, value: object = "bee") -> Correction:
    prediction = Prediction(value=value, confidence=0.9, model=ModelRef("cloud", "1"))
    return Correction(id=name, prediction=prediction, replied="ant", changed=True, cloud_s=0.5)


def ids(kept: LateVerdicts, after: int) -> list[str]:
    return [correction.id for _, correction in kept.after(after).corrections]


def test_each_verdict_is_told_once_to_who_asks_after_the_last_number() -> None:
    kept = LateVerdicts()
    assert kept.after(0) == ((), 0, 0)
    kept.put(late("a"))
    kept.put(late("b"))
    told = kept.after(0)
    assert [number for number, _ in told.corrections] == [1, 2]
    kept.put(late("c"))
    assert ids(kept, told.next) == ["c"]
    assert kept.after(3) == ((), 3, 0)


def test_who_comes_too_late_is_told_how_many_are_gone() -> None:
    kept = LateVerdicts(most=2)
    for at in range(5):
        kept.put(late(str(at)))
    assert ids(kept, 0) == ["3", "4"]
    assert kept.after(0).missed == 3
    assert kept.after(2).missed == 1
    assert kept.after(3).missed == 0
    assert [number for number, _ in kept.after(1).corrections] == [4, 5]


def test_a_number_of_an_earlier_run_begins_anew() -> None:
    kept = LateVerdicts()
    kept.put(late("a"))
    assert ids(kept, 900) == ["a"]


def test_a_listener_is_woken_until_its_block_ends() -> None:
    kept, woken = LateVerdicts(), []
    with kept.listening(lambda: woken.append(1)):
        kept.put(late("a"))
    kept.put(late("b"))
    assert woken == [1]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("bee", "bee"),
        (np.int64(3), 3),
        (Anomaly(2.5, True), {"score": 2.5, "is_anomaly": True}),
        (
            Boxes(xyxy=np.zeros((1, 4), np.float32), index=np.array([2]), scores=np.ones(1, np.float32)),
            {"xyxy": [[0, 0, 0, 0]], "index": [2], "scores": [1], "labels": None},
        ),
    ],
)
def test_a_verdict_of_every_task_can_be_told(value: object, told: object) -> None:
    kept = LateVerdicts()
    kept.put(late("a", value))
    message = json.loads(encode_late(kept.after(0)))
    assert message["corrections"][0]["value"] == told
    assert (message["next"], message["missed"], message["version"]) == (1, 0, 1)
