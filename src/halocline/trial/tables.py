"""Write the tables of the page: what each way takes, how long it takes, what prices and classes there are."""

from collections.abc import Callable, Sequence
from html import escape

from halocline.prices import CallPrice, ComputePrice, LinkPrice
from halocline.stats.bounds import Estimate
from halocline.trial.result import Trial
from halocline.trial.ways import Way
from halocline.trial.words import count, figure, interval, megabytes, milliseconds, percent, short, usd
from halocline.tuning.gathered import Latency
from halocline.tuning.measures import Measure

MOST_CLASSES = 12


def month_table(trial: Trial) -> str:
    """Cloud alone, tiered and edge alone, side by side."""
    right = "right" if trial.data.has_labels else "the cloud's answer"
    lines: list[tuple[str, Callable[[Way], str]]] = [
        (right, lambda way: _with_interval(way.accuracy)),
        ("mean over classes", lambda way: _with_interval(way.balanced_accuracy)),
        ("cloud calls", lambda way: count(way.month.cloud_calls)),
        ("sent up", lambda way: megabytes(way.month.bytes_up)),
        ("money", lambda way: usd(way.month.usd)),
    ]
    shares = 2
    if not trial.evaluation.tiered.recall:  # there are no classes
        del lines[1]
        shares = 1
    ways = (trial.cloud_alone, trial.tiered, trial.edge_alone)
    body = [(escape(name), [tell(way) for way in ways]) for name, tell in lines]
    if not trial.data.has_labels:
        body[:shares] = [(name, ["by definition", *cells[1:]]) for name, cells in body[:shares]]
    return _table(("", "cloud alone", "tiered", "edge alone"), body, marked=1)


def time_table(trial: Trial) -> str:
    """Bars of what an answer takes, and where each part is from."""
    times = trial.times
    edge, cloud = times.edge_s, times.cloud.latency
    longest = max(trial.tiered.slowest_s or 0.0, trial.cloud_alone.typical_s)
    ready = [] if times.prepare_s is None else [("ready", times.prepare_s.p50_s)]
    here = [*ready, ("edge", edge.p50_s)]
    there = [*ready, ("link", times.link_s), ("cloud", cloud.p50_s)]
    bars = [
        ("edge alone", here),
        ("tiered, stays", here),
        ("tiered, goes up", [*here, *there]),
        ("cloud alone", there),
    ]
    totals = (
        trial.edge_alone.typical_s,
        trial.edge_alone.typical_s,
        trial.tiered.slowest_s or 0.0,
        trial.cloud_alone.typical_s,
    )
    drawn = "".join(
        f'<div class="row"><span>{name}</span><span class="bars">'
        + "".join(f'<i class="{part}" style="width:{s / longest * 100:.2f}%"></i>' for part, s in parts)
        + f"</span><b>{milliseconds(total)}</b></div>"
        for (name, parts), total in zip(bars, totals, strict=True)
    )
    rate = figure(times.link.up_bits_per_s, f"{times.link.up_bits_per_s / 1e6:g} Mbit/s")
    return (
        f'<div class="times">{drawn}</div><ul class="legend">{_of_preparing(times.prepare_s)}'
        f'<li><i class="edge"></i><span><b>edge</b>, the model alone, measured here: '
        f"{milliseconds(edge.p50_s)} at the median, {milliseconds(edge.p99_s)} at the 99th percentile"
        "</span></li>"
        f'<li><i class="link"></i><span><b>link</b> “{escape(times.link.name)}”, modelled, not measured: '
        f"{milliseconds(times.link.round_trip_s)} for the round trip, and {megabytes(trial.up_bytes)} up at "
        f"{rate}</span></li>"
        f'<li><i class="cloud"></i><span><b>cloud</b>, measured from here: {milliseconds(cloud.p50_s)} a '
        f"call at the median, {milliseconds(cloud.p99_s)} at the 99th percentile of {count(cloud.calls)} "
        f"calls{_of_network(trial)}</span></li></ul>"
        f"<p>On average a tiered answer takes {milliseconds(trial.tiered.typical_s)}, the cloud's "
        f"{milliseconds(trial.cloud_alone.typical_s)}.</p>"
    )


def _of_preparing(took: Latency | None) -> str:
    if took is None:
        return ""
    return (
        '<li><i class="ready"></i><span><b>preparing</b> a sample for the edge, measured here: '
        f"{milliseconds(took.p50_s)} at the median, {milliseconds(took.p99_s)} at the 99th percentile; "
        "counted for each tier that is asked</span></li>"
    )


def _of_network(trial: Trial) -> str:
    return ", the network between included" if trial.is_remote else ""


def price_table(trial: Trial) -> str:
    """Each price with its page and its day."""
    prices = trial.prices
    call, compute, link = prices.cloud_call, prices.cloud_compute, prices.link
    used = f"{escape(compute.what)}; assumed: {short(compute.gb)} GB for {short(compute.s_per_row)} s a row"
    lines: list[tuple[str, str, CallPrice | ComputePrice | LinkPrice]] = [
        (f"{_million(call.usd)} calls", escape(call.what), call),
        (f"{_million(compute.usd_per_gb_s)} GB-seconds", used, compute),
        (f"{figure(link.usd_per_mb, f'${link.usd_per_mb:g}')} a MB", escape(link.what), link),
    ]
    items = "".join(
        f'<li><b>{price}</b>: {what}. <span class="quiet">Read on {each.read} at {escape(each.source)}'
        "</span></li>"
        for price, what, each in lines
    )
    return f"<ul>{items}</ul>"


def _million(price_usd: float) -> str:
    """A price too small to read, as that of a million."""
    return figure(price_usd, f"${price_usd * 1e6:,.2f} a million")


def measure_table(trial: Trial) -> str:
    """The figures of the task beside the share of right answers."""
    body = [
        (escape(each.name), [_measured(value, each) for value in (each.cloud, each.tiered, each.edge)])
        for each in trial.evaluation.measures
    ]
    return _table(("", "cloud alone", "tiered", "edge alone"), body, marked=1)


def _measured(value: float | None, measure: Measure) -> str:
    if value is None:
        return "not told by these rows"
    return figure(value, f"{value:.3f}") if measure.is_share else short(value)


def recall_table(trial: Trial) -> str:
    """The recall of each class, the worst of tiered first, up to a dozen."""
    seen = trial.evaluation
    names = sorted(seen.tiered.recall, key=lambda name: seen.tiered.recall[name].value)[:MOST_CLASSES]
    body = [
        (escape(name), [_with_interval(each.recall[name]) for each in (seen.cloud, seen.tiered, seen.edge)])
        for name in names
    ]
    left = len(seen.tiered.recall) - len(names)
    more = f'<p class="quiet">{left} more classes, found more often, are in the JSON.</p>' if left else ""
    return _table(("class", "cloud alone", "tiered", "edge alone"), body, marked=1) + more


def _with_interval(estimate: Estimate) -> str:
    return f'{percent(estimate.value)}<span class="quiet">{interval(estimate)}</span>'


def _table(heads: Sequence[str], body: Sequence[tuple[str, Sequence[str]]], *, marked: int) -> str:
    """A table whose first column names the rows; `marked` is the column that matters."""

    def cell(at: int, text: str, tag: str) -> str:
        return f"<{tag}{' class=mark' if at == marked else ''}>{text}</{tag}>"

    head = f"<th>{heads[0]}</th>" + "".join(cell(at, name, "th") for at, name in enumerate(heads[1:]))
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        f"{''.join(cell(at, text, 'td') for at, text in enumerate(cells))}</tr>"
        for name, cells in body
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
