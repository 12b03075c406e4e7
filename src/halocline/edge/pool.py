"""Run calls for callers in an event loop: a small pool of threads, each started at its first need."""

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from halocline.errors import Rejected

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_T = TypeVar("_T")

WORKERS = 32
"""At most so many threads: they mostly wait."""


class AsyncPool:
    """Threads for the async twins of `Tiered`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False

    def submit(self, ask: Callable[[], _T]) -> "Awaitable[_T]":
        """The call's result, to be awaited. Raises Rejected (HAL-406) once closed."""
        import asyncio  # 16 ms at a start, and whoever awaits has it already
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if self._closed:
                raise Rejected("HAL-406", "this Tiered is closed")
            if self._executor is None:
                self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="halocline ainfer")
            return asyncio.wrap_future(self._executor.submit(ask))

    def close(self) -> None:
        """Take nothing more, and wait for what runs. May be called again."""
        with self._lock:
            self._closed = True
            executor = self._executor
        if executor is not None:
            executor.shutdown()
