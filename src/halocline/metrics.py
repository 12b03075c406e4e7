"""Every metric that Halocline exposes: the one schema that recorders, exposition, docs and tests read.

Names follow Prometheus: the base unit is in the name, counters end in `_total`.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How a metric's values behave."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric: `unit` is what its number counts, `buckets` the upper bounds of a histogram."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
_MODEL = ("model", "version")

SERVER_REQUESTS = Metric(
    "halocline_server_requests_total",
    Kind.COUNTER,
    "requests",
    (*_MODEL, "status"),
    "Inference requests answered, by the status of the answer; no model where the one asked for is not here.",
)
SERVER_ROWS = Metric(
    "halocline_server_rows_total", Kind.COUNTER, "rows", _MODEL, "Rows answered with a prediction."
)
SERVER_REQUEST_DURATION = Metric(
    "halocline_server_request_duration_seconds",
    Kind.HISTOGRAM,
    "seconds",
    _MODEL,
    "From an inference request's headers to its answer, reading the body and waiting included.",
    _SECONDS,
)
SERVER_TIER_ROWS = Metric(
    "halocline_server_tier_rows_total",
    Kind.COUNTER,
    "rows",
    (*_MODEL, "tier", "reason"),
    "Rows that a tiered model answered, by the tier that the answer is from and the reason for it.",
)
SERVER_RUN_DURATION = Metric(
    "halocline_server_run_duration_seconds",
    Kind.HISTOGRAM,
    "seconds",
    _MODEL,
    "One run of the model on one batch.",
    _SECONDS,
)
SERVER_BATCH_ROWS = Metric(
    "halocline_server_batch_rows",
    Kind.HISTOGRAM,
    "rows",
    _MODEL,
    "Rows that one run of the model took.",
    _ROWS,
)
SERVER_QUEUE_LENGTH = Metric(
    "halocline_server_queue_length",
    Kind.GAUGE,
    "requests",
    _MODEL,
    "Requests that wait for the model to be free.",
)
SERVER_REQUESTS_IN_PROGRESS = Metric(
    "halocline_server_requests_in_progress",
    Kind.GAUGE,
    "requests",
    (),
    "Inference requests accepted and not yet answered.",
)
SERVER_REQUEST_BODY_BYTES = Metric(
    "halocline_server_request_body_bytes_total",
    Kind.COUNTER,
    "bytes",
    _MODEL,
    "Bytes in the bodies of inference requests.",
)
SERVER_RESPONSE_BODY_BYTES = Metric(
    "halocline_server_response_body_bytes_total",
    Kind.COUNTER,
    "bytes",
    _MODEL,
    "Bytes in the bodies of the answers to inference requests, errors included.",
)
SERVER_MODEL_INFO = Metric(
    "halocline_server_model_info",
    Kind.GAUGE,
    "models",
    (*_MODEL, "latest"),
    "1 for each model version that is loaded; latest tells whether requests without a version reach it.",
)
SERVER_READY = Metric(
    "halocline_server_ready",
    Kind.GAUGE,
    "servers",
    (),
    "1 while inference requests are taken: warmed up and not draining.",
)

METRICS: tuple[Metric, ...] = (
    SERVER_REQUESTS,
    SERVER_ROWS,
    SERVER_TIER_ROWS,
    SERVER_REQUEST_DURATION,
    SERVER_RUN_DURATION,
    SERVER_BATCH_ROWS,
    SERVER_QUEUE_LENGTH,
    SERVER_REQUESTS_IN_PROGRESS,
    SERVER_REQUEST_BODY_BYTES,
    SERVER_RESPONSE_BODY_BYTES,
    SERVER_MODEL_INFO,
    SERVER_READY,
)
