"""Record what one served model does: plain numbers in place, under a microsecond a request.

Used on the server's one thread; reading happens there too.
"""

from bisect import bisect_left
from collections.abc import Sequence

from halocline.metrics import SERVER_BATCH_ROWS, SERVER_REQUEST_DURATION, SERVER_RUN_DURATION
from halocline.records import Reply


class Histogram:
    """Counts of values by bucket; the last bucket has no upper bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value; a bucket holds values up to and including its bound."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Meter:
    """The numbers of one model version, or of the requests that name no model here."""

    __slots__ = (
        "batch_rows",
        "duration",
        "request_bytes",
        "response_bytes",
        "rows",
        "run",
        "statuses",
        "tiers",
    )

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.rows = 0
        self.tiers: dict[tuple[str, str], int] = {}
        """Rows of a tiered model by tier and reason."""
        self.request_bytes = 0
        self.response_bytes = 0
        self.duration = Histogram(SERVER_REQUEST_DURATION.buckets)
        self.run = Histogram(SERVER_RUN_DURATION.buckets)
        self.batch_rows = Histogram(SERVER_BATCH_ROWS.buckets)

    def answered(
        self, status: int, rows: int, request_bytes: int, response_bytes: int, elapsed_s: float
    ) -> None:
        """One request was answered; `rows` are those that got a prediction."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.rows += rows
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes
        self.duration.add(elapsed_s)

    def told(self, replies: Sequence[Reply]) -> None:
        """A tiered model answered these rows."""
        for reply in replies:
            key = (reply.tier.value, reply.reason.value)
            self.tiers[key] = self.tiers.get(key, 0) + 1

    def ran(self, rows: int, elapsed_s: float) -> None:
        """The model ran once."""
        self.batch_rows.add(rows)
        self.run.add(elapsed_s)
