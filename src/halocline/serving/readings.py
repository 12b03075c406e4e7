"""Read what a server's meters stand at, in the words of the metrics schema."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from halocline import metrics
from halocline.metrics import Metric
from halocline.serving.admission import Admission
from halocline.serving.meters import Histogram, Meter
from halocline.serving.table import ModelTable, ServedModel

Values: TypeAlias = list[tuple[tuple[str, ...], float | Histogram]]


class Reading(NamedTuple):
    """A metric's values now: for each set of label values a number, or a histogram's counts."""

    metric: Metric
    values: Values


def read(table: ModelTable, admission: Admission, strangers: Meter) -> list[Reading]:
    """All the server's metrics; `strangers` are the requests that name no model here."""
    models = list(table)

    def each(value: Callable[[ServedModel], float | Histogram]) -> Values:
        return [((model.ref.name, model.ref.version), value(model)) for model in models]

    return [
        Reading(metrics.SERVER_REQUESTS, _statuses(models, strangers)),
        Reading(metrics.SERVER_ROWS, each(lambda model: model.meter.rows)),
        Reading(metrics.SERVER_TIER_ROWS, _tiers(models)),
        Reading(metrics.SERVER_REQUEST_DURATION, each(lambda model: model.meter.duration)),
        Reading(metrics.SERVER_RUN_DURATION, each(lambda model: model.meter.run)),
        Reading(metrics.SERVER_BATCH_ROWS, each(lambda model: model.meter.batch_rows)),
        Reading(metrics.SERVER_QUEUE_LENGTH, each(lambda model: len(model.batcher))),
        Reading(metrics.SERVER_REQUESTS_IN_PROGRESS, [((), admission.inside)]),
        Reading(metrics.SERVER_REQUEST_BODY_BYTES, each(lambda model: model.meter.request_bytes)),
        Reading(metrics.SERVER_RESPONSE_BODY_BYTES, each(lambda model: model.meter.response_bytes)),
        Reading(metrics.SERVER_MODEL_INFO, [_info(table, model) for model in models]),
        Reading(metrics.SERVER_READY, [((), float(admission.serving))]),
    ]


def _statuses(models: Sequence[ServedModel], strangers: Meter) -> Values:
    values: Values = []
    for name, version, meter in (
        *((model.ref.name, model.ref.version, model.meter) for model in models),
        ("", "", strangers),
    ):
        values.extend(((name, version, str(status)), count) for status, count in meter.statuses.items())
    return values


def _tiers(models: Sequence[ServedModel]) -> Values:
    return [
        ((model.ref.name, model.ref.version, tier, reason), count)
        for model in models
        for (tier, reason), count in model.meter.tiers.items()
    ]


def _info(table: ModelTable, model: ServedModel) -> tuple[tuple[str, ...], float | Histogram]:
    latest = table.find(model.ref.name) is model
    return (model.ref.name, model.ref.version, str(latest).lower()), 1.0
