"""halocline sample rules: what rules of selection would have sent of recorded rows, and what that costs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from halocline.cli.output import Json, print_json, print_table
from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.data import Dataset
    from halocline.decide.gate import Policy
    from halocline.decide.preview import Preview
    from halocline.prices import Prices
    from halocline.records import Array
    from halocline.tuning.recorded import Recorded

_NAMED = 5
_SIDES = ("sensor.", "metadata.")
_WHY = {
    "duplicate": "near-duplicates",
    "pace": "less valuable than what the budget lasts for",
    "budget": "beyond its budget",
    "total": "beyond the budget of all rules",
    "sent": "sent before",
}


def rules(
    *,
    data: Path | None = None,
    edge: str | None = None,
    rules: Path | None = None,
    policy: Path | None = None,
    requests_per_s: float = 1.0,
    prices: Path | None = None,
    group_by: str | None = None,
    labels: Path | None = None,
    scores: str | None = None,
    seed: int = 0,
    example: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
) -> int:
    """Show what each rule would have sent of recorded rows, why the rest stays, and what it costs.

    Nothing is sent. Rows of which the edge is not sure enough count as answered by the
    cloud in time; the groups of the data count as sources, whose scenes are thinned.

    Examples
    --------
    halocline sample rules --data cal.npz --edge edge.onnx

    Parameters
    ----------
    data
        Recorded rows in their order, in any form that `halocline data check` reads. An .npz file may hold
        arrays called sensor.KEY and metadata.KEY, one value a row, for conditions to ask.
    edge
        The edge model, an ONNX file.
    rules
        The rules, TOML; without it, those that hold by default.
    policy
        The policy in force, for its threshold and its novelty; without it 0.8 and no novelty.
    requests_per_s
        How fast the rows came; budgets are by the hour and the day.
    prices
        A file of your own prices, in the form of halocline/prices/prices.toml; else its list prices.
    group_by
        A regular expression that finds the group (patient, speaker, device) in a file's name.
    labels
        Class names of the edge model, one a line, or a .json list.
    scores
        What the edge's scores are: probabilities, logits or log_probabilities.
    seed
        What is drawn by chance follows from it.
    example
        Print a commented file of rules, to start from.
    json
        Print one JSON object on stdout and nothing else.
    """
    from halocline.adapters.onnxruntime import load
    from halocline.cli.tiers import progress_on_stderr
    from halocline.cli.told_tuned import print_list
    from halocline.data import read
    from halocline.data.windows import series_for
    from halocline.decide.condition import Known
    from halocline.decide.preview import preview
    from halocline.prices import read_prices
    from halocline.tuning.recorded import record
    from halocline.wire import rules_file

    if example:
        print(rules_file.example(), end="")
        return 0
    if data is None or edge is None:
        raise Misconfigured("HAL-101", "give --data and --edge, or --example for a file to start from")
    if not requests_per_s > 0:
        raise Misconfigured("HAL-101", f"--requests-per-s must be above 0, got {requests_per_s:g}")
    model = load(edge, labels=labels, scores=scores)
    known = Known(labels=model.spec.labels)
    asked = rules_file.default_rules(known) if rules is None else rules_file.read_rules(rules, known)
    cost = read_prices(prices)
    in_force = _policy(policy)
    given = read(data, group_by=group_by, series=series_for(model.spec.input))
    with progress_on_stderr("asking the edge") as progress:
        seen = record(
            model, in_force, given.samples, groups=given.groups, facts=_facts(data, given), progress=progress
        )
    told = preview(
        asked,
        seen.samples,
        step_s=1.0 / requests_per_s,
        seed=seed,
        wrong=_wrong(given, seen, model.spec.labels),
    )
    notes = [*_notes(told, given, seen, in_force), f"prices: {_place(prices)}; the link alone, nothing else"]
    if json:
        print_json(_for_json(told, cost, len(seen.samples) / requests_per_s, seen, notes))
        return 0
    _print(told, cost, {"data": str(data), "edge": edge, "rules": str(rules or "those that hold by default")})
    print_list("To know:", notes)
    return 0


def _policy(path: Path | None) -> "Policy":
    from halocline.decide.gate import Policy
    from halocline.wire.policy_file import read_policy

    return Policy() if path is None else read_policy(path).policy


def _facts(path: Path, given: "Dataset") -> "Mapping[str, Array]":
    """The arrays beside the rows that conditions can ask. Raises Misconfigured (HAL-304)."""
    import numpy as np

    names = [name for name in given.unread if name.startswith(_SIDES)]
    if not names or path.suffix != ".npz":
        return {}
    with np.load(path, allow_pickle=False) as arrays:
        facts = {name: arrays[name] for name in names}
    for name, values in facts.items():
        fits = "fiub" if name.startswith("sensor.") else "fiubU"
        if values.shape != (len(given),) or values.dtype.kind not in fits:
            raise Misconfigured(
                "HAL-304",
                f"{path}: {name} must be one {'number' if fits == 'fiub' else 'number or text'} for each of "
                f"the {len(given)} rows, got {values.dtype} {list(values.shape)}",
            )
    return facts


def _wrong(given: "Dataset", seen: "Recorded", labels: tuple[str, ...] | None) -> list[bool] | None:
    """Which rows the edge answers wrongly; a label that it does not know is one. None without labels."""
    if given.labels is None or given.labels.ndim != 1 or all(sample.label is None for sample in seen.samples):
        return None
    wrong = []
    for sample, place, index in zip(seen.samples, seen.places, seen.index, strict=True):
        true = given.labels[place].item()
        is_index = isinstance(true, int) and not (labels and str(true) in labels)
        wrong.append(true != index if is_index else str(true) != sample.label)
    return wrong


def _notes(told: "Preview", given: "Dataset", seen: "Recorded", policy: "Policy") -> list[str]:
    from halocline.decide.told import counted

    notes = [
        f"rule {rule.name}: of {counted(rule.untold, 'sample')} its condition could not be told; the data "
        "do not hold what it asks for"
        for rule in told.rules
        if rule.untold
    ]
    if policy.novelty is None and any(rule.kind == "novelty" for rule in told.rules):
        notes.append("novelty is not measured: give a --policy that was tuned with --novelty")
    notes += [f"left out: {name}" for name in _unusable(given, seen)]
    return notes


def _unusable(given: "Dataset", seen: "Recorded") -> list[str]:
    rows = [f"{given.names[row.row]}: {row.why}" for row in seen.left_out]
    rows += [f"{row.name}: {row.why}" for row in given.bad]
    more = [f"and {len(rows) - _NAMED} more"] if len(rows) > _NAMED else []
    return rows[:_NAMED] + more


def _place(prices: Path | None) -> str:
    return str(prices) if prices else "list prices of one example set-up; give your own with --prices"


def _usd(cost: "Prices", payload_bytes: int) -> float:
    return cost.cost_usd(rows=0, link_bytes=payload_bytes)


def _for_json(
    told: "Preview", cost: "Prices", seconds: float, seen: "Recorded", notes: list[str]
) -> Mapping[str, Any]:
    of_rules = [
        {name: getattr(rule, name) for name in rule.__struct_fields__}
        | {"usd": _usd(cost, rule.payload_bytes)}
        for rule in told.rules
    ]
    return {
        "samples": told.samples,
        "seconds": seconds,
        "sent": told.sent,
        "payload_bytes": told.payload_bytes,
        "usd": _usd(cost, told.payload_bytes),
        "all": {
            "payload_bytes": sum(each.payload_bytes for each in seen.samples),
            "usd": _usd(cost, sum(each.payload_bytes for each in seen.samples)),
        },
        "wrong": told.wrong,
        "wrong_sent": told.wrong_sent,
        "rules": of_rules,
        "overlap": [{"rules": names, "sent": sent} for names, sent in told.overlap.items()],
        "notes": notes,
    }


def _print(told: "Preview", cost: "Prices", named: Mapping[str, str]) -> None:
    from halocline.cli.told_tuned import print_list
    from halocline.cli.words import percent, print_block

    share = percent(told.sent / told.samples) if told.samples else "none"
    sent = f"{told.sent} of {told.samples} samples ({share}), {told.payload_bytes / 1e3:.1f} kB"
    lines = [*named.items(), ("sent", f"{sent}, {_usd(cost, told.payload_bytes):.3g} USD")]
    if told.wrong is not None:
        lines.append(
            ("wrong", f"{told.wrong_sent} of the {told.wrong} that the edge answers wrongly are sent")
        )
    print_block(lines)
    print()
    columns = ["rule", "priority", "wanted", "sent", "kB", "USD", "shared"]
    columns += [] if told.wrong is None else ["wrong"]
    rows = [
        [
            rule.name,
            str(rule.priority),
            str(rule.wanted),
            str(rule.paid),
            f"{rule.payload_bytes / 1e3:.1f}",
            f"{_usd(cost, rule.payload_bytes):.2g}",
            str(rule.shared),
            *([] if rule.wrong is None else [str(rule.wrong)]),
        ]
        for rule in told.rules
    ]
    print_table(columns, rows, numbers=True)
    print_list(
        "Wanted, and not sent:",
        (
            f"{rule.name}: {', '.join(f'{count} {_WHY[why]}' for why, count in rule.left.items())}"
            for rule in told.rules
            if rule.left
        ),
    )
