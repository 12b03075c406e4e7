"""What escalation gives a detector, on composed scenes, and what the rule for "nothing found" is worth.

Scenes hold no, a few or many pieces of clothing (or digits), some of them faint. The threshold sends up a
stated share of other scenes. A scene is right when every thing has its box at an overlap of one half, with
the right class, and nothing else has one. "Without the rule" the sureness of a scene is that of its boxes
alone, so that a scene without boxes is sure: both readings are compared at the same shares of escalation.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import halocline as hc
from common import arguments, report
from halocline.demo.detection.canvas import Scenes
from halocline.demo.detection.graph import YOLO
from halocline.demo.detection.pair import Detectors, detectors
from halocline.stats.calibrate import expected_calibration_error
from halocline.stats.detection import mean_average_precision
from halocline.stats.overlap import SAME, iou, is_all_right

Rows: TypeAlias = np.ndarray[Any, np.dtype[Any]]

SHARE = 0.3
SHARES = (0.1, 0.2, 0.3, 0.5)
KINDS = {"all": (0, 99), "empty": (0, 0), "few": (1, 3), "crowded": (5, 99)}


def main() -> int:
    here = Path(__file__).resolve().parent.parent
    options = arguments(
        __doc__ or "",
        data={"type": Path, "default": here.parent / "shared" / "data", "help": "folder of the data sets"},
    )
    values = {"digits": _measure(detectors())}
    if (options.data / "fashion_mnist").is_dir():
        values["fashion_mnist"] = _measure(detectors(options.data / "fashion_mnist"))
    worse = {
        f"{name}.at_share_{share:g}": max(0.0, each["without"] - each["with"])
        for name, measured in values.items()
        for share, each in measured["blind_caught"].items()
    }
    limits = dict.fromkeys((f"lost_by_the_rule.{name}" for name in worse), 0.0)
    return report("detection", {**values, "lost_by_the_rule": worse}, options, at_most=limits)


def _measure(pair: Detectors) -> dict[str, Any]:
    threshold = _threshold(pair)
    x, truth = pair.test.pictures[:, None], pair.test.truth
    edge_said, cloud_said = pair.edge.predict_batch(x), pair.cloud.predict_batch(x)
    with hc.Tiered(pair.edge, pair.cloud, threshold=threshold, deadline_s=600.0) as tiered:
        replies = [reply for at in range(0, len(x), 100) for reply in tiered.infer_batch(x[at : at + 100])]
    edge = [said.value for said in edge_said]
    cloud = [_in_order(said.value, pair) for said in cloud_said]
    up = np.asarray([reply.tier is hc.Tier.CLOUD for reply in replies])
    tiers = {"edge": edge, "cloud": cloud, "tiered": [reply.value for reply in replies]}
    return {
        "scenes": len(pair.test),
        "threshold": threshold,
        "by_kind": {name: _kind(tiers, up, pair.test, *span) for name, span in KINDS.items()},
        **_rule(pair, [said.confidence for said in edge_said], edge, truth),
        "calibration_error": _calibration(pair, [said.confidence for said in edge_said], edge),
    }


def _threshold(pair: Detectors) -> float:
    """Sends up the share of the scenes that tuned."""
    x, truth = pair.tune.pictures[:, None], pair.tune.truth
    return hc.tune(pair.edge, pair.cloud, x, truth, escalate=SHARE, cache=False).policy.threshold


def _in_order(boxes: hc.Boxes, pair: Detectors) -> hc.Boxes:
    """The cloud's boxes with the class numbers of the edge."""
    labels = list(pair.edge.spec.labels or ())
    index = np.asarray([labels.index(label) for label in boxes.labels or ()], np.int64)
    return hc.Boxes(xyxy=boxes.xyxy, index=index, scores=boxes.scores, labels=boxes.labels)


def _kind(tiers: dict[str, list[hc.Boxes]], up: Rows, scenes: Scenes, low: int, high: int) -> dict[str, Any]:
    at = np.flatnonzero((scenes.counts >= low) & (scenes.counts <= high))
    true = [scenes.truth[each] for each in at]
    told: dict[str, Any] = {"scenes": len(at), "up": float(up[at].mean())}
    for name, said in tiers.items():
        found = [said[each] for each in at]
        figures = mean_average_precision(found, true)
        told[name] = {
            "map_50": _number(figures.at_half),
            "map_50_95": _number(figures.mean),
            "right": float(np.mean([is_all_right(*both) for both in zip(found, true, strict=True)])),
        }
    return told


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rule(
    pair: Detectors, confidence: list[float], edge: Sequence[hc.Boxes], truth: Sequence[hc.Boxes]
) -> dict[str, Any]:
    """Of the scenes in which the edge missed something, and of those in which it saw nothing: who goes up."""
    missed = np.asarray([_misses(*both) for both in zip(edge, truth, strict=True)])
    blind = np.asarray([len(said) == 0 < len(there) for said, there in zip(edge, truth, strict=True)])
    chance = np.random.default_rng(0).random(len(missed))  # breaks ties
    ranks = {
        "with": np.lexsort((chance, np.asarray(confidence))),
        "without": np.lexsort((chance, _of_boxes_alone(pair, edge))),
    }
    told: dict[str, Any] = {"missed": int(missed.sum()), "blind": int(blind.sum())}
    for name, wanted in (("missed_caught", missed), ("blind_caught", blind)):
        told[name] = {
            share: {
                rule: int(wanted[order[: round(share * len(order))]].sum()) for rule, order in ranks.items()
            }
            for share in SHARES
        }
    return told


def _calibration(pair: Detectors, confidence: list[float], edge: Sequence[hc.Boxes]) -> dict[str, float]:
    """How far confidence is from the share of scenes that are all right, calibrated and as stated."""
    right = np.asarray([is_all_right(*both) for both in zip(edge, pair.test.truth, strict=True)])
    stated = hc.load(pair.edge_path, task=YOLO).predict_batch(pair.test.pictures[:, None])
    found = {"calibrated": confidence, "stated": [said.confidence for said in stated]}
    return {name: expected_calibration_error(np.asarray(sure), right).value for name, sure in found.items()}


def _of_boxes_alone(pair: Detectors, edge: Sequence[hc.Boxes]) -> Rows:
    """The sureness by a floor that never doubts: slope 0, and an offset that is as good as minus infinity."""
    import msgspec

    form = msgspec.structs.replace(pair.edge_form, floor=(0.0, -700.0))
    said = hc.load(pair.edge_path, task=form).predict_batch(pair.test.pictures[:, None])
    assert [len(each.value) for each in said] == [len(boxes) for boxes in edge]
    return np.asarray([each.confidence for each in said])


def _misses(found: hc.Boxes, true: hc.Boxes) -> bool:
    if not len(true):
        return False
    return not len(found) or bool((iou(true.xyxy, found.xyxy).max(axis=1) < SAME).any())


if __name__ == "__main__":
    sys.exit(main())
