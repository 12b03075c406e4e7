"""Send a small share of the confident answers up too, behind the caller's back, and keep what comes of it."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

import msgspec

from halocline.decide.spot_check import Drawn, SpotCheck, after, draw_among, first
from halocline.edge.escalation import Escalation
from halocline.edge.reading import CloudRows
from halocline.edge.route import Route
from halocline.edge.sending import Going, copy_of

MAX_WAITING = 64
"""The checks of so many calls wait to be sent; beyond, they are dropped and counted: memory is bounded."""
CLOSE_S = 1.0


class Spot(msgspec.Struct, frozen=True):
    """Answers of one call that were drawn: their rows as they were given, and what takes the verdict."""

    ids: tuple[str, ...]
    going: Going
    on_verdict: Callable[[CloudRows], None]


class SpotChecks:
    """Draws rows, and sends those that stayed at the edge from a thread of its own. Thread-safe."""

    def __init__(self, spot_check: SpotCheck, up: Escalation, route: Route) -> None:
        self.probability = spot_check.share
        self.sent = 0
        self.dropped = 0
        self._spot_check = spot_check
        self._up = up
        self._route = route
        self._lock = threading.Lock()
        self._draw = first(spot_check)
        self._left = self._draw.left
        self._waiting: SimpleQueue[Spot | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def draw(self) -> int:
        """How many rows the next row stands for if it is drawn, else 0."""
        with self._lock:
            left = self._left - 1
            if left:
                self._left = left
                return 0
            gap = self._draw.gap
            self._draw = after(self._spot_check, self._draw)
            self._left = self._draw.left
            return gap

    def draw_among(self, rows: int) -> list[Drawn]:
        """Those of the next rows that are drawn."""
        with self._lock:
            state = msgspec.structs.replace(self._draw, left=self._left)
            found, self._draw = draw_among(self._spot_check, state, rows)
            self._left = self._draw.left
            return found

    def send(self, spot: Spot) -> None:
        """Have the cloud asked soon; dropped where too many wait. Rows are copied: callers reuse them."""
        copied = copy_of(spot.going)
        with self._lock:
            if self._closed or self._waiting.qsize() >= MAX_WAITING:
                self.dropped += len(spot.ids)
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="halocline spot checks", daemon=True)
                self._thread.start()
        self._waiting.put(msgspec.structs.replace(spot, going=copied))

    def close(self) -> None:
        """Send nothing more and end the thread. May be called again."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._waiting.put(None)
            thread.join(CLOSE_S)

    def _work(self) -> None:
        while (spot := self._waiting.get()) is not None and not self._closed:
            count = len(spot.ids)
            plan = self._route.plan_check(spot.going, count)
            with self._lock:
                if plan.up.size < count:
                    self.dropped += count
                    continue
                self.sent += count
            self._up.send(
                plan.feed, count, plan.payload_bytes, call_id=spot.ids[0], on_verdict=spot.on_verdict
            )
