"""What a confident answer of `Tiered.infer` costs over the bare `InferenceSession.run` of the same file."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import halocline as hc
from common import arguments, measure, raw_session, report
from models import MEDIUM_SHAPE, TINY_SHAPE, make_medium, make_tiny, sample

AT_MOST = {"tiny.ratio": 1.20, "tiny.added_us": 8.0, "medium.ratio": 1.03}


def main() -> int:
    options = arguments(__doc__ or "", rounds={"type": int, "default": 200, "help": "interleaved rounds"})
    with tempfile.TemporaryDirectory() as folder:
        tiny, tiny_valid = _compare(make_tiny(Path(folder)), TINY_SHAPE, options.rounds, 0.005)
        medium, medium_valid = _compare(make_medium(Path(folder)), MEDIUM_SHAPE, options.rounds // 2, 0.06)
    values = {"tiny": tiny, "medium": medium}
    return report("edge_path", values, options, at_most=AT_MOST, valid=tiny_valid and medium_valid)


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


def _never_asked(batch: Any) -> Any:
    raise AssertionError(f"the edge was to answer, {len(batch)} rows went up")


if __name__ == "__main__":
    sys.exit(main())
