"""halocline model inspect: say what a model takes and gives, and propose what its input means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from halocline.cli.output import Json, print_json, print_pairs, seconds
from halocline.cli.proposal import described, proposed, written_beside

if TYPE_CHECKING:
    from halocline.adapters.onnxruntime import OnnxModel
    from halocline.adapters.onnxruntime.graph import Graph
    from halocline.wire.model_file import Description


def inspect(
    model: Path,
    /,
    *,
    labels: Path | None = None,
    scores: str | None = None,
    score_output: str | None = None,
    write: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
) -> int:
    """Say what a model file takes and gives, how its scores are read, and what its input may mean.

    Where no NAME.model.toml lies beside NAME.onnx, its [input] table is proposed from the graph's shapes,
    with what a graph cannot say.

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
    write
        Write the proposal as NAME.model.toml beside the model; a file that is there stays as it is.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.onnxruntime import load
    from halocline.adapters.onnxruntime.graph import read_graph_file

    loaded = load(model, labels=labels, scores=scores, score_output=score_output)
    graph = read_graph_file(str(model))
    proposal = None if loaded.description is not None else proposed(loaded.spec, graph)
    written = str(written_beside(model, proposal)) if write else None
    if json:
        print_json(_facts(model, loaded, graph) | described(loaded.description, proposal, written))
        return 0
    print_pairs([*_lines(model, loaded, graph), *([("wrote", written)] if written else [])])
    if loaded.description is not None or (proposal is not None and proposal.text):
        print()
        print(proposal.text if proposal is not None else _told(loaded.description), end="")
    return 0


def _told(description: "Description | None") -> str:
    from halocline.wire.model_file import Description, description_text

    return description_text(description or Description(), "Its description, as it is read.")


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
