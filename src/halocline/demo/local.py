"""Ask an agent on its Unix socket with nothing but HTTP, as a program in any language would."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from halocline.demo.answer import Answer
from halocline.errors import Transient
from halocline.records import Array
from halocline.wire import oip

TIMEOUT_S = 10.0
WAIT_S = 5.0
"""So long a question for late verdicts stays open where there are none."""


class LocalModels:
    """The models of one agent over one connection, which is kept alive."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self._connection = _OverSocket(path, TIMEOUT_S)
        self._inputs = {name: self._input_of(name) for name in names}

    def ask(self, model: str, x: Array) -> Answer:
        """The answer to one row, asked and told in JSON.

        Raises Transient (HAL-404) where none comes.
        """
        feed = {self._inputs[model]: np.ascontiguousarray(x[np.newaxis], np.float32)}
        asked = oip.encode_request(feed, request_id="", binary=False, outputs=Answer.__struct_fields__)
        came = self._asked("POST", f"/v2/models/{model}/infer", b"".join(asked.parts), {})
        return Answer(**{output["name"]: output["data"][0] for output in came["outputs"]})

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _input_of(self, model: str) -> str:
        name: str = self._asked("GET", f"/v2/models/{model}", None, {})["inputs"][0]["name"]
        return name

    def _asked(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        try:
            return _asked(self._connection, method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next question opens another
            raise Transient("HAL-404", f"the agent gave no answer: {type(error).__name__} {error}") from error


class LateReader:
    """Reads the late verdicts of one model from now on, in a thread of its own."""

    def __init__(self, path: str, model: str, on_late: Callable[[str, str], None]) -> None:
        self._connection = _OverSocket(path, WAIT_S + TIMEOUT_S)
        self._path = f"/v2/models/{model}/corrections"
        self._on_late = on_late
        self._thread = threading.Thread(target=self._read, name=f"late {model}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread, which ends with its agent."""
        self._thread.join(TIMEOUT_S)
        self._connection.close()

    def _read(self) -> None:
        after = 0
        with contextlib.suppress(OSError, http.client.HTTPException, Transient):  # the agent's end
            while True:
                told = _asked(
                    self._connection, "GET", f"{self._path}?after={after}&wait_s={WAIT_S}", None, {}
                )
                for late in told["corrections"]:
                    self._on_late(late["id"], str(late["value"]))
                after = told["next"]


class _OverSocket(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _asked(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> Any:
    connection.request(method, path, body, headers)
    came = connection.getresponse()
    said = came.read()
    if came.status != 200:
        raise Transient("HAL-404", f"the agent answered {came.status}: {said[:200].decode(errors='replace')}")
    return msgspec.json.decode(said)
