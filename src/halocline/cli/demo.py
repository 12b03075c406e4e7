"""halocline demo: see the promises kept on this machine while everything around them breaks."""

import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from cyclopts import Parameter

from halocline.cli import FAILED, INTERRUPTED, TERMINATED
from halocline.cli.output import Json, print_json

if TYPE_CHECKING:
    from halocline.demo.show import Scorecard


def demo(
    *,
    fast: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    interactive: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
    sabotage: Literal["drop", "duplicate", "late"] | None = None,
    seed: int = 0,
    prices: Path | None = None,
    dataset: Literal["digits", "ecg", "speech", "fashion-mnist"] = "digits",
    folder: Annotated[Path | None, Parameter(name="--from")] = None,
) -> int:
    """Stream real data through edge and cloud while the link breaks and mends.

    Three devices answer with a small model and reach a larger one through a hub,
    over mutual TLS; each is a process of its own. An independent observer keeps
    the scorecard, from what callers received, what the cloud logged and whom the
    hub's door let in. Exit code: 0 where every promise was kept, 1 where one was
    broken. Nothing leaves this machine.

    Examples
    --------
    halocline demo --fast

    Parameters
    ----------
    fast
        Half the time: fewer requests while things are broken.
    interactive
        Break it yourself: c cuts the link, k kills the cloud models, q ends. Needs a terminal.
    json
        Print one JSON object on stdout and nothing else.
    sabotage
        Break a promise on purpose, to see the observer notice: the exit code is then 1.
    seed
        Decides the order of the rows and, of a real set, which are drawn and how the models start.
    prices
        A file of your own prices, in the form of halocline/prices/prices.toml.
    dataset
        What is streamed: digits are there; heart beats, spoken digits and clothes need --from.
    folder
        The folder of the set; its models are trained the first time, two minutes at most.
    """
    from halocline.extras import need

    need(
        "demo",
        *("sklearn", "skl2onnx", "onnx", "uvicorn", "cryptography", "sqlalchemy", "alembic"),
        what="halocline demo",
    )
    before = {number: signal.signal(number, _end_as_by_hand) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        card = _play(
            dataset, folder, fast=fast, interactive=interactive, sabotage=sabotage, seed=seed, prices=prices
        )
    except KeyboardInterrupt as exc:
        print("stopped; nothing is left running", file=sys.stderr)
        return TERMINATED if isinstance(exc, _Terminated) else INTERRUPTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if json:
        print_json(card.as_dict())
    else:
        _print(card)
    return 0 if card.judgement.passed else FAILED


def _play(
    dataset: str,
    folder: Path | None,
    *,
    fast: bool,
    interactive: bool,
    sabotage: str | None,
    seed: int,
    prices: Path | None,
) -> "Scorecard":
    from rich.console import Console

    from halocline.demo.interactive import Show, need_terminal
    from halocline.demo.live import Live
    from halocline.demo.material import material_of
    from halocline.demo.sabotage import Kind
    from halocline.demo.show import run_interactive, run_scripted
    from halocline.prices import read_prices

    known = read_prices(prices)
    kind = Kind(sabotage) if sabotage is not None else None
    progress = Console(stderr=True)
    if interactive:
        need_terminal()
    material = material_of(dataset, folder, seed=seed, say=partial(progress.print, highlight=False))
    if interactive:
        show = Show(progress, seed=seed)
        return run_interactive(show.play, progress.print, material, prices=known, seed=seed, sabotage=kind)
    with Live(progress) as live:
        return run_scripted(live, material, prices=known, seed=seed, fast=fast, sabotage=kind)


def _print(card: "Scorecard") -> None:
    from rich.console import Console

    from halocline.demo.board import print_scorecard

    print_scorecard(Console(), card)


class _Terminated(KeyboardInterrupt):
    """SIGTERM came, or the terminal is gone; it ends what Ctrl-C ends, so that the programs go along."""


def _end_as_by_hand(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated
