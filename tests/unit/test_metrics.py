"""What is exposed is what the schema says, in the formats of Prometheus."""

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from test_serving_batcher import Doubler

from halocline.adapters.prometheus import expose
from halocline.metrics import METRICS, SERVER_REQUEST_DURATION, Kind
from halocline.serving.admission import Admission
from halocline.serving.meters import Meter
from halocline.serving.readings import read
from halocline.serving.table import ModelTable

FORMATS = [
    ("", parse_text, "text/plain"),
    ("application/openmetrics-text; version=1.0.0", parse_openmetrics, "application/openmetrics-text"),
]


def page(accept: str = "") -> tuple[str, str]:
    admission = Admission(max_queue=1, max_body_bytes=1, max_held_bytes=1)
    admission.ready = True
    with ModelTable([Doubler()]) as table:
        meter = table.find("doubler").meter
        for elapsed_s in (0.0003, 0.00025, 99.0):
            meter.answered(200, 2, 100, 50, elapsed_s)
        meter.ran(3, 0.001)
        meter.tiers["edge", "confident"] = 1
        strangers = Meter()
        strangers.answered(404, 0, 0, 10, 0.0001)
        body, content_type = expose(read(table, admission, strangers), accept)
    return body.decode(), content_type


@pytest.mark.parametrize(("accept", "parse", "content_type"), FORMATS)
def test_names_types_and_labels_are_those_of_the_schema(accept: str, parse, content_type: str) -> None:
    text, came_as = page(accept)
    assert came_as.startswith(content_type)
    exposed = {family.name: family for family in parse(text)}
    schema = {metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert exposed.keys() == schema.keys()
    for name, metric in schema.items():
        assert exposed[name].type == metric.kind.value
        assert exposed[name].documentation == metric.help
        labels = {frozenset(sample.labels) - {"le"} for sample in exposed[name].samples}
        assert labels == {frozenset(metric.labels)}


def test_names_carry_their_unit_as_prometheus_has_it() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"halocline_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        for unit in ("seconds", "bytes"):
            assert (unit in metric.name) == (metric.unit == unit)
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_a_histogram_counts_each_value_once_at_or_under_its_bound() -> None:
    text, _ = page()
    name = SERVER_REQUEST_DURATION.name
    found = dict(re.findall(rf'{name}_bucket{{le="([^"]+)",[^}}]*}} (\S+)', text))
    assert float(found["0.00025"]) == 1
    assert float(found["0.0005"]) == 2
    assert float(found["10.0"]) == 2
    assert float(found["+Inf"]) == 3
    assert re.search(rf"{name}_count{{[^}}]*}} 3", text)


@pytest.mark.parametrize(
    "accept", ["text/plain;version=x", "application/openmetrics-text;version=banana", "*/*"]
)
def test_any_accept_header_gets_a_page(accept: str) -> None:
    assert "halocline_server_rows_total" in page(accept)[0]
