"""Turn readings of the schema's metrics into an exposition that Prometheus, or a person, reads."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from halocline.metrics import Kind
from halocline.serving.meters import Histogram
from halocline.serving.readings import Reading

if TYPE_CHECKING:
    from prometheus_client import Metric as Family


def expose(readings: Iterable[Reading], accept: str) -> tuple[bytes, str]:
    """The exposition and its content type, in the best format that the Accept header allows."""
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(readings))
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # the header names a version that is none
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Collector:
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> "Iterator[Family]":
        for reading in self._readings:
            yield _family(reading)


def _family(reading: Reading) -> "Family":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    metric = reading.metric
    if metric.kind is Kind.HISTOGRAM:
        histograms = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in reading.values:
            assert isinstance(value, Histogram)
            histograms.add_metric(labels, _buckets(value), value.total)
        return histograms
    family = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    numbers = family(metric.name, metric.help, labels=metric.labels)
    for labels, value in reading.values:
        assert not isinstance(value, Histogram)
        numbers.add_metric(labels, value)
    return numbers


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, the last without one."""
    buckets: list[tuple[str, float]] = []
    count = 0
    for bound, here in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        count += here
        buckets.append((bound, count))
    return buckets
