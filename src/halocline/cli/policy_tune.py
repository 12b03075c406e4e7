"""halocline tune: choose the threshold of a pair of models on your data, and say what it promises."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from halocline.cli.output import Json, print_json
from halocline.cli.tiers import (
    Tiers,
    asking,
    opened,
    overlap,
    progress_on_stderr,
    read_labelled,
    share,
    truth_in,
)
from halocline.decide.allowance import EscalationBudget
from halocline.errors import Misconfigured


def tune(
    tiers: Tiers,
    *,
    max_loss: str | None = None,
    alpha: str = "10%",
    escalate: str | None = None,
    cloud_price: float | None = None,
    error_price: float | None = None,
    class_floor: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    budget: str | None = None,
    novelty: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    novelty_output: str | None = None,
    test: Path | None = None,
    policy: Path | None = None,
    out: Path = Path("policy.toml"),
    dry_run: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    plot: Path | None = None,
    json: Json = False,
) -> int:
    """Choose the threshold of a pair of models on your data, and say what it promises.

    Give one target: --max-loss, --escalate, or --cloud-price with --error-price. The
    answers of the cloud are kept, so that tuning again costs nothing. Shares are
    written 27% or 0.27.

    Examples
    --------
    halocline policy tune --edge edge.onnx --cloud cloud.onnx --data cal.npz --max-loss 2%

    Parameters
    ----------
    max_loss
        The most answers lost against the cloud: edge wrong where the cloud is right (1% without a target).
    alpha
        The probability that --max-loss is broken all the same, by an unlucky draw of rows.
    escalate
        The share of calls that goes up, held at run time; no loss is promised.
    cloud_price
        USD of one cloud call, with --error-price: spend least a request.
    error_price
        USD of one wrong answer.
    class_floor
        A recall to keep, as in V=90%; may be given again.
    budget
        The most that goes up at run time, whatever the target: a share of the rows (5%) or a rate (60/min).
    novelty
        Send up what is unlike the rows given here, too.
    novelty_output
        Measure novelty on this output of the edge model instead of its input.
    test
        Labelled rows of the same form as --data, to see what the policy does on them.
    policy
        The policy in force, to compare with; else what --out holds already.
    out
        Where the policy is written, for Tiered(policy=…).
    dry_run
        Write no policy.
    plot
        Draw the curve: .svg, or .png (which writes NAME-dark.png beside it).
    json
        Print one JSON object on stdout and nothing else.
    """
    import halocline as hc
    from halocline.cli.told_tuned import Told
    from halocline.tuning.plot import check_picture
    from halocline.wire.policy_file import check_place, diff_policy, read_policy, write_policy

    if plot is not None:
        check_picture(plot)
    if not dry_run:
        check_place(out)
    target: dict[str, Any] = {
        "max_loss": None if max_loss is None else share("--max-loss", max_loss),
        "alpha": share("--alpha", alpha),
        "escalate": None if escalate is None else share("--escalate", escalate),
        "cloud_price": cloud_price,
        "error_price": error_price,
        "class_floors": _floors(class_floor),
        "budget": None if budget is None else _budget(budget),
    }
    in_force = policy or (out if out.exists() else None)
    before = None if in_force is None else read_policy(in_force)
    seen = None
    with opened(tiers) as (edge, cloud):
        rows, unread = read_labelled(tiers.data, tiers, edge.spec, must=False)
        held_out, _ = (None, []) if test is None else read_labelled(test, tiers, edge.spec, must=True)
        with progress_on_stderr() as progress:
            how: dict[str, Any] = {**asking(tiers), "progress": progress}
            tuned = hc.tune(
                edge,
                cloud,
                rows.samples,
                truth_in(rows),
                rows.groups,
                novelty=novelty,
                novelty_output=novelty_output,
                **target,
                **how,
            )
            if held_out is not None:
                unread += overlap(rows, held_out, tiers.data, test)
                given = (held_out.samples, truth_in(held_out), held_out.groups)
                seen = hc.evaluate(edge, cloud, tuned, *given, **how)
    changes = None if before is None else diff_policy(before, tuned.file)
    if not dry_run:
        write_policy(out, tuned.file, (*unread, *tuned.warnings))
    drawn = () if plot is None else tuned.curve.write(plot)
    told = Told(
        tiers=tiers,
        tuned=tuned,
        test=seen,
        unread=tuple(unread),
        before=None if in_force is None else str(in_force),
        changes=changes,
        out=None if dry_run else out,
        drawn=drawn,
    )
    if json:
        print_json(told.as_dict())
    else:
        told.print()
    return 0


def _budget(text: str) -> EscalationBudget:
    """A share of the rows, or so many a minute. Raises Misconfigured (HAL-101)."""
    rate, by_minute, rest = text.partition("/min")
    if not by_minute:
        return EscalationBudget(share=share("--budget", text))
    try:
        per_minute = float(rate) if not rest else None
    except ValueError:
        per_minute = None
    if per_minute is None:
        raise Misconfigured(
            "HAL-101", f"--budget must be a share such as 5% or a rate such as 60/min, got {text!r}"
        )
    return EscalationBudget(per_minute=per_minute)


def _floors(given: tuple[str, ...]) -> dict[str, float]:
    """CLASS=SHARE, each. Raises Misconfigured (HAL-101)."""
    floors: dict[str, float] = {}
    for text in given:
        name, equals, recall = text.rpartition("=")
        if not equals or not name:
            raise Misconfigured("HAL-101", f"--class-floor must be CLASS=SHARE, as in V=90%, got {text!r}")
        if name in floors:
            raise Misconfigured("HAL-101", f"--class-floor names {name!r} twice; keep one of them")
        floors[name] = share(f"--class-floor {name}", recall)
    return floors
