"""Check a model file: that it loads, that it runs, and that its scores can be read."""

from collections.abc import Iterator
from pathlib import Path

from halocline.catalogue import CATALOGUE
from halocline.cli.checks import Check, fail, ok, warn
from halocline.cli.output import seconds
from halocline.errors import HaloclineError
from halocline.records import Task


def check_model(path: Path) -> Iterator[Check]:
    """Every check of one model file."""
    from halocline.adapters.onnxruntime import load

    name = f"model {path.name}"
    try:
        model = load(path)
    except HaloclineError as exc:
        yield fail(name, str(exc), CATALOGUE[exc.code].fix)
        return
    spec = model.spec
    yield ok(name, f"loads, runs on {model.provider.short} ({model.provider.why})")
    if model.warmup_s is None:
        yield warn(
            f"{name} run",
            "no trial run on made-up values was possible",
            f"run it on your data: halocline infer {path} --data x.npy",
        )
    else:
        yield ok(f"{name} run", f"first run {seconds(model.warmup_s)}")
    if spec.task is not Task.CLASSIFY:
        yield ok(f"{name} task", f"{spec.task}: no class scores are needed")
    elif spec.score_kind is None:
        yield warn(f"{name} scores", model.scores.how, 'say what they are: hc.load(…, scores="logits")')
    else:
        yield ok(f"{name} scores", f"{spec.score_kind} ({model.scores.how})")
    if any(each.shape and each.shape[0] > 0 for each in spec.inputs):
        yield warn(
            f"{name} batch",
            f"its batch axis is fixed at {spec.inputs[0].shape[0]}",
            "export it with a dynamic batch axis, so that rows can travel and run together",
        )
