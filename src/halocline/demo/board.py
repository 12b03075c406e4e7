"""Print the scorecard for people."""

from rich.console import Console
from rich.table import Table

from halocline.demo.observer import PhaseSeen, Spread
from halocline.demo.play import BASELINE, NORMAL
from halocline.demo.show import Scorecard

NEXT = (
    'Your own models: hc.Tiered(hc.load("edge.onnx"), hc.connect(URL), threshold=0.8, deadline_s=0.3)',
    "Serve the larger one: halocline serve MODEL.onnx, then take a look: halocline infer URL --data x.npy",
    "A hub and devices of your own: halocline hub serve --state hub; it says what to do next",
    "Break it yourself: halocline demo --interactive",
)


def print_scorecard(console: Console, card: Scorecard) -> None:
    """Tables, verdicts, and what to do next."""
    console.print()
    if card.has_baseline:
        console.print(_worth(card))
        console.print(
            f"[dim]Money by list prices of an example ({card.prices.link.source}, "
            f"{card.prices.cloud_call.source}), to be replaced by yours: --prices FILE[/dim]"
        )
        console.print()
    console.print(_phases(card))
    console.print(
        f"answers marked degraded: {card.judgement.degraded}; corrections, the cloud's late verdicts under "
        f"the ids of those answers: {card.judgement.corrections}",
        highlight=False,
    )
    console.print()
    for verdict in card.judgement.verdicts:
        mark = "[green]kept  [/green]" if verdict.passed else "[bold red]BROKEN[/bold red]"
        console.print(f"{mark}  {verdict.name}: {verdict.detail}", highlight=False)
    for error in card.errors:
        console.print(f"[red]{error}[/red]", highlight=False)
    console.print()
    for line in NEXT:
        console.print(f"  {line}", highlight=False, markup=False)


def _worth(card: Scorecard) -> Table:
    seen = card.judgement
    base, normal = seen.phase(BASELINE), seen.phase(NORMAL)
    table = Table(title=f"{normal.requests:,} {card.rows} that no model has seen, by an independent observer")
    table.add_column("")
    for tier in ("edge alone", "cloud alone", "tiered"):
        table.add_column(tier, justify="right")
    accuracy = (_percent(seen.accuracy[tier]) for tier in ("edge", "cloud", "tiered"))
    saved = f" ({seen.cloud_calls_saved:.0%} saved)" if seen.cloud_calls_saved is not None else ""
    table.add_row("right answers", *accuracy)
    table.add_row("rows run in the cloud", "0", f"{base.cloud_rows:,}", f"{normal.cloud_rows:,}{saved}")
    table.add_row("sent up", "0", _bytes(base.bytes_up), _bytes(normal.bytes_up))
    table.add_row("a million answers", "$0", _per_million(card, base), _per_million(card, normal))
    return table


def _per_million(card: Scorecard, phase: PhaseSeen) -> str:
    return f"${card.cost_usd(phase.name) / max(phase.requests, 1) * 1e6:,.2f}"


def _phases(card: Scorecard) -> Table:
    table = Table(title="What callers saw")
    for name in ("phase", "answered", "right", "p50", "p99", "why"):
        table.add_column(name, justify="left" if name in ("phase", "why") else "right")
    for phase in card.judgement.phases:
        table.add_row(
            phase.name,
            f"{phase.answered:,}/{phase.requests:,}",
            _percent(phase.accuracy),
            *_spread(phase.latency_s),
            ", ".join(f"{reason} {count}" for reason, count in phase.reasons.items()),
        )
    return table


def _spread(spread: Spread) -> tuple[str, str]:
    return _duration(spread.p50), _duration(spread.p99)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:,.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:,.0f} µs"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _bytes(count: int) -> str:
    return f"{count / 1e3:,.0f} kB"
