"""What a confident answer of `Tiered.infer` costs over the bare `InferenceSession.run` of the same file.

And what each part of a policy adds to that: another score, novelty, a share that is held, spot checks.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import halocline as hc
from common import SEED, arguments, measure, raw_session, report
from halocline.stats.novelty import Novelty
from models import CLASSES, FEATURES, MEDIUM_SHAPE, TINY_SHAPE, make_medium, make_tiny, sample

AT_MOST = {"tiny.ratio": 1.20, "tiny.added_us": 8.0, "medium.ratio": 1.03}


def main() -> int:
    options = arguments(__doc__ or "", rounds={"type": int, "default": 200, "help": "interleaved rounds"})
    with tempfile.TemporaryDirectory() as folder:
        tiny, tiny_valid = _compare(make_tiny(Path(folder)), TINY_SHAPE, options.rounds, 0.005)
        medium, medium_valid = _compare(make_medium(Path(folder)), MEDIUM_SHAPE, options.rounds // 2, 0.06)
        added, added_valid = _added(make_tiny(Path(folder), features=True), options.rounds)
    values = {"tiny": tiny, "medium": medium, "added_us": added}
    valid = tiny_valid and medium_valid and added_valid
    return report("edge_path", values, options, at_most=AT_MOST, valid=valid)


def _compare(path: Path, shape: tuple[int, ...], rounds: int, round_s: float) -> tuple[dict[str, Any], bool]:
    x = sample(shape)[None]
    session = raw_session(path)
    # Ten classes: the largest probability is never under 0.1, so that each answer stays at the edge.
    with hc.Tiered(hc.load(path, threads=1), _never_asked, threshold=0.1) as tiered:
        assert tiered.infer(x).tier == hc.Tier.EDGE
        timings = measure(
            {"raw": lambda: session.run(None, {"x": x}), "tiered": lambda: tiered.infer(x)},
            rounds=rounds,
            round_s=round_s,
        )
    values = {
        "raw_us": timings.median_s("raw") * 1e6,
        "tiered_us": timings.median_s("tiered") * 1e6,
        "ratio": timings.ratio("tiered"),
        "added_us": timings.added_s("tiered") * 1e6,
        "control": timings.control,
    }
    return values, timings.is_valid


def _added(path: Path, rounds: int) -> tuple[dict[str, float], bool]:
    """Microseconds that each part of a policy adds to a confident answer of the tiny model."""
    x = sample(TINY_SHAPE)[None]
    novelty = Novelty(
        "flat",
        np.random.default_rng(SEED).random((CLASSES, FEATURES)).astype(np.float32),
        np.eye(FEATURES, dtype=np.float32),
        cut=1e9,
    )
    policies = {
        "default": hc.Policy(threshold=0.0),
        "temperature": hc.Policy(threshold=0.0, temperature=1.5),
        "margin": hc.Policy(threshold=0.0, score=hc.Score.MARGIN),
        "entropy": hc.Policy(threshold=0.0, score=hc.Score.ENTROPY),
        "novelty": hc.Policy(threshold=0.0, novelty=novelty),
        # A share of 0 is followed as any other is, and keeps each answer at the edge.
        "share": hc.Policy(threshold=0.0, share=0.0),
    }
    edge = hc.load(path, threads=1)
    with ExitStack() as stack:
        tiered = {
            name: stack.enter_context(hc.Tiered(edge, _never_asked, policy=policy))
            for name, policy in policies.items()
        }
        tiered["spot_checks_1_percent"] = stack.enter_context(
            hc.Tiered(edge, _quick, policy=policies["default"], spot_check=hc.SpotCheck(share=0.01))
        )
        for each in tiered.values():
            assert each.infer(x).tier == hc.Tier.EDGE
        calls: dict[str, Callable[[], object]] = {
            name: partial(each.infer, x) for name, each in tiered.items()
        }
        timings = measure(calls, base="default", rounds=rounds, round_s=0.005)
    return {name: timings.added_s(name) * 1e6 for name in calls if name != "default"}, timings.is_valid


def _quick(batch: Any) -> Any:
    return np.full((len(batch), CLASSES), 1 / CLASSES, np.float32)


def _never_asked(batch: Any) -> Any:
    raise AssertionError(f"the edge was to answer, {len(batch)} rows went up")


if __name__ == "__main__":
    sys.exit(main())
