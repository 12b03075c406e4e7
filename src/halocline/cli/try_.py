"""halocline try: see on one page whether two models are worth running together, on your data."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from halocline.cli.output import JsonToo, print_json
from halocline.cli.tiers import Tiers, asking, opened, progress_on_stderr, read_labelled, share, truth_in


def try_(
    tiers: Tiers,
    *,
    max_loss: str | None = None,
    alpha: str = "10%",
    escalate: str | None = None,
    link: str = "lte",
    calls_per_day: int = 1000,
    prices: Path | None = None,
    show: str | None = None,
    seed: int = 0,
    out: Path = Path("try.html"),
    open: Annotated[bool, Parameter(negative="", show_default=False)] = False,  # noqa: A002 - the flag
    json: JsonToo = False,
) -> int:
    """See on one page whether two models are worth running together, on your data.

    Half of the rows choose the threshold, the other half show what it does: accuracy,
    cloud calls, megabytes, money and time beside each tier alone, and what would go
    up. The answer may be that one tier alone does. Labels may be missing. The cloud's
    answers are kept: trying again makes no call. The page needs no network.

    Examples
    --------
    halocline try --edge edge.onnx --cloud cloud.onnx --data cal.npz --max-loss 2%

    Parameters
    ----------
    max_loss
        The most answers lost against the cloud: edge wrong where the cloud is right (1% without a target).
    alpha
        The probability that --max-loss is broken all the same, by an unlucky draw of rows.
    escalate
        The share of calls that goes up instead; no loss is promised.
    link
        What a call crosses, as modelled: lte, wifi or 1mbit.
    calls_per_day
        Requests that a device answers in a day, for what it takes in a month.
    prices
        A file of your own prices, in the form of halocline/prices/prices.toml; else its list prices.
    show
        Rows are a picture, sound, series or values, where their shape does not tell (a flat picture).
    seed
        Decides which rows choose the threshold, and which are shown.
    out
        Where the page is written.
    open
        Open the page in a browser.
    json
        Print one JSON object with every figure of the page on stdout and nothing else.
    """
    import halocline as hc

    target: dict[str, Any] = {
        "max_loss": None if max_loss is None else share("--max-loss", max_loss),
        "alpha": share("--alpha", alpha),
        "escalate": None if escalate is None else share("--escalate", escalate),
    }
    with opened(tiers) as (edge, cloud):
        rows, unread = read_labelled(tiers.data, tiers, edge.spec, must=False)
        with progress_on_stderr() as progress:
            trial = hc.try_(
                edge,
                cloud,
                rows.samples,
                truth_in(rows),
                rows.groups,
                link=link,
                calls_per_day=calls_per_day,
                prices=prices,
                show=show,
                names=rows.names,
                seed=seed,
                progress=progress,
                **target,
                **asking(tiers),
            )
    from halocline.cli.told_trial import following, print_trial

    asked = _asked(max_loss, escalate)
    repeat = _repeated(tiers, asked, link=link, calls_per_day=calls_per_day, seed=seed, alpha=alpha)
    repeat += [*_flag("--prices", prices), *_flag("--show", show), *_flag("--out", out)]
    trial = msgspec.structs.replace(
        trial,
        commands=following(trial, tiers, shlex.join(repeat), asked),
        warnings=(*unread, *trial.warnings),
    )
    trial.save_html(out)
    if json:
        print_json({**trial.as_dict(), "out": str(out)})
    else:
        print_trial(trial, out)
    if open:
        import webbrowser

        webbrowser.open(out.resolve().as_uri())
    return 0


def _asked(max_loss: str | None, escalate: str | None) -> list[str]:
    return [*_flag("--max-loss", max_loss), *_flag("--escalate", escalate)]


def _repeated(
    tiers: Tiers, asked: list[str], *, link: str, calls_per_day: int, seed: int, alpha: str
) -> list[str]:
    """The words that were typed, or would be, leaving out what is so by default."""
    from halocline.cli.told_trial import data_of, models_of

    said = ["halocline", "try", *models_of(tiers), *data_of(tiers), *asked]
    if alpha != "10%":
        said += ["--alpha", alpha]
    said += ["--link", link, "--calls-per-day", str(calls_per_day)]
    return [*said, "--seed", str(seed)] if seed else said


def _flag(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]
