"""Send the same request over and over on kept-alive connections, as fast as the answers come.

Reads "CONCURRENCY SECONDS" lines on stdin and answers each with one JSON line: requests, seconds.
"""

import json
import selectors
import socket
import sys
import time
from pathlib import Path


class Connection:
    """One connection with one request under way; every answer must be as long as the first."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._length = self._first_answer()
        self._have = 0

    def send(self) -> None:
        """Ask."""
        self.socket.sendall(self._request)

    def is_answered(self) -> bool:
        """Take what is there; whether that makes the answer whole."""
        data = self.socket.recv(65_536)
        if not self._have and not data.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"the server answered {data[:300]!r}")
        self._have += len(data)
        if self._have < self._length:
            return False
        self._have = 0
        return True

    def _first_answer(self) -> int:
        self.send()
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65_536)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"the server answered {answer[:300]!r}")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = len(head) + 4 + int(fields[b"content-length"])
        have = len(head) + 4 + len(body)
        while have < length:
            have += len(self.socket.recv(65_536))
        return length


def drive(connections: list[Connection], seconds: float) -> tuple[int, float]:
    """Requests answered, and the seconds that it took."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        start_s = time.perf_counter()
        for connection in connections:
            connection.send()
        answered, under_way, stop = 0, len(connections), False
        while under_way:
            stop = stop or time.perf_counter() - start_s >= seconds
            for key, _ in selector.select(5.0):
                if key.data.is_answered():
                    answered += 1
                    if stop:
                        under_way -= 1
                    else:
                        key.data.send()
        return answered, time.perf_counter() - start_s


def main() -> int:
    """Drive the server at HOST PORT with the request in a file."""
    host, port, request = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_bytes()
    pool: list[Connection] = []
    for line in sys.stdin:
        concurrency, seconds = line.split()
        while len(pool) < int(concurrency):
            pool.append(Connection(host, port, request))
        answered, took_s = drive(pool[: int(concurrency)], float(seconds))
        print(json.dumps({"requests": answered, "seconds": took_s}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
