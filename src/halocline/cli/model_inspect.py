"""halocline model inspect: say what a model file takes and gives, and how its scores are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from halocline.cli.output import Json, print_json, print_pairs, seconds

if TYPE_CHECKING:
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.adapters.onnxruntime.graph import Graph


def inspect(
    model: Path,
    /,
    *,
    labels: Path | None = None,
    scores: str | None = None,
    score_output: str | None = None,
    json: Json = False,
) -> int:
    """Say what a model file takes and gives, and how its scores are read.

    Examples
    --------
    halocline model inspect edge.onnx

    Parameters
    ----------
    model
        An ONNX file.
    labels
        A file with one class name a line, or a .json list.
    scores
        What the score output holds, where the graph does not show it: probabilities, logits or
        log_probabilities.
    score_output
        Which output holds the scores, where there are several.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.onnxruntime import load
    from halocline.adapters.onnxruntime.graph import read_graph_file

    loaded = load(model, labels=labels, scores=scores, score_output=score_output)
    graph = read_graph_file(str(model))
    if json:
        print_json(_facts(model, loaded, graph))
    else:
        print_pairs(_lines(model, loaded, graph))
    return 0


def _facts(path: Path, model: "OnnxModel", graph: "Graph") -> dict[str, Any]:
    return {
        "name": model.spec.ref.name,
        "path": str(path),
        "file_bytes": path.stat().st_size,
        "inputs": model.spec.inputs,
        "outputs": model.spec.outputs,
        "scores": {"kind": model.scores.kind, "output": model.scores.output, "how": model.scores.how},
        "labels": model.spec.labels,
        "provider": {"name": model.provider.provider, "why": model.provider.why},
        "warmup_s": model.warmup_s,
        "producer": graph.producer,
        "opsets": graph.opsets,
        "operators": len(graph.nodes),
    }


def _lines(path: Path, model: "OnnxModel", graph: "Graph") -> list[tuple[str, str]]:
    from halocline.adapters.onnxruntime.inputs import show

    spec = model.spec
    kind = model.scores.kind.value if model.scores.kind else "unknown"
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in graph.opsets.items())
    return [
        ("model", f"{spec.ref} ({path}, {path.stat().st_size / 1024:.0f} KiB)"),
        *(("input", f"{each.name}: {show(each)}") for each in spec.inputs),
        *(("output", f"{each.name}: {show(each)}") for each in spec.outputs),
        ("scores", f"{kind} ({model.scores.how})"),
        ("labels", _named(spec.labels)),
        ("runs on", f"{model.provider.short} ({model.provider.why})"),
        (
            "first run",
            seconds(model.warmup_s) if model.warmup_s is not None else "not possible on made-up values",
        ),
        ("made by", graph.producer or "unknown"),
        ("operators", f"{len(graph.nodes)}, opset {opsets or 'unknown'}"),
    ]


def _named(labels: tuple[str, ...] | None) -> str:
    if labels is None:
        return "none: answers are class numbers; give them with --labels"
    shown = ", ".join(labels[:8])
    return f"{len(labels)}: {shown}{', …' if len(labels) > 8 else ''}"
