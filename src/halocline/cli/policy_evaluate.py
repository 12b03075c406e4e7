"""halocline evaluate: measure what a policy does on labelled data that it was not tuned on."""

from pathlib import Path
from typing import Any

from halocline.cli.output import Json, print_json
from halocline.cli.tiers import Tiers, asking, opened, progress_on_stderr, read_labelled, truth_in


def evaluate(
    tiers: Tiers,
    *,
    policy: Path,
    cloud_price: float | None = None,
    prices: Path | None = None,
    latency_calls: int = 20,
    requests_per_s: float | None = None,
    plot: Path | None = None,
    json: Json = False,
) -> int:
    """Measure what a policy does on labelled data that it was not tuned on.

    Both tiers alone and together, with 95 % intervals (over groups where the data have
    them), what it takes against the cloud alone, and whether the promise held.

    Examples
    --------
    halocline policy evaluate --edge edge.onnx --cloud cloud.onnx --policy policy.toml --data test.npz

    Parameters
    ----------
    policy
        The policy file that tune wrote.
    cloud_price
        USD of one cloud call, instead of the list prices.
    prices
        A file of your own prices, in the form of halocline/prices/prices.toml; else its list prices.
    latency_calls
        Rows sent one by one to time the cloud, whatever is known already; 0 times nothing.
    requests_per_s
        How fast requests come; a policy's budget by the minute is replayed with it.
    plot
        Draw the curve: .svg, or .png (which writes NAME-dark.png beside it).
    json
        Print one JSON object on stdout and nothing else.
    """
    import halocline as hc
    from halocline.cli.told_evaluation import evaluation_lines, print_figures
    from halocline.cli.told_tuned import print_list, told_cost
    from halocline.cli.words import print_block
    from halocline.tuning.plot import check_picture

    if plot is not None:
        check_picture(plot)
    per_call, per_mb, source = _prices(cloud_price, prices)
    with opened(tiers) as (edge, cloud):
        rows, unread = read_labelled(tiers.data, tiers, edge.spec, must=True)
        with progress_on_stderr() as progress:
            seen = hc.evaluate(
                edge,
                cloud,
                policy,
                rows.samples,
                truth_in(rows),
                rows.groups,
                cloud_price=per_call,
                link_price=per_mb,
                latency_calls=latency_calls,
                requests_per_s=requests_per_s,
                progress=progress,
                **asking(tiers),
            )
    drawn = () if plot is None else seen.curve.write(plot)
    notes = [*seen.notes, *unread]
    if json:
        print_json(
            {
                **_named(tiers, policy),
                **seen.as_dict(),
                "prices": source,
                "notes": notes,
                "drawn": list(map(str, drawn)),
            }
        )
        return 0
    print_block(
        [
            ("edge", tiers.edge),
            ("cloud", f"{tiers.cloud}: {told_cost(seen.cost)}"),
            ("policy", str(policy)),
            ("data", str(tiers.data)),
        ]
    )
    print()
    print_figures(seen)
    print()
    print_block([*evaluation_lines(seen), ("prices", source)])
    print_list("To know:", notes)
    if drawn:
        print(f"\ndrawn  {', '.join(map(str, drawn))}")
    return 0


def _named(tiers: Tiers, policy: Path) -> dict[str, Any]:
    return {
        "edge_file": tiers.edge,
        "cloud_place": tiers.cloud,
        "policy_file": str(policy),
        "data_file": str(tiers.data),
    }


def _prices(cloud_price: float | None, file: Path | None) -> tuple[float, float, str]:
    """USD a call and a megabyte, and where that is from."""
    from halocline.prices import read_prices

    if cloud_price is not None and file is None:
        return cloud_price, 0.0, f"{cloud_price:g} USD a call, as given"
    known = read_prices(file)
    per_mb = known.link.usd_per_mb
    if cloud_price is not None:
        return cloud_price, per_mb, f"{cloud_price:g} USD a call, as given; the link as in {file}"
    where = (
        str(file) if file is not None else "list prices of one example set-up; give your own with --prices"
    )
    return known.cost_usd(rows=1, link_bytes=0), per_mb, where
