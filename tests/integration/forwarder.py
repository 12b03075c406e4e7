"""A proxy as stands before a hub: it hands on TCP, byte by byte, and knows nothing of TLS."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Forwarder:
    """Listens on a free port of a loopback address, and hands on to `port` of 127.0.0.1."""

    def __init__(self, host: str) -> None:
        self.port = 0
        self.came = 0
        """Connections so far."""
        self._listens = socket.create_server((host, 0))
        self.url = f"https://{host}:{self._listens.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listens.shutdown(socket.SHUT_RDWR)
        self._listens.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listens.accept()
                self.came += 1
                hub = socket.create_connection(("127.0.0.1", self.port))
                for way in ((client, hub), (hub, client)):
                    threading.Thread(target=_hand_on, args=way, daemon=True).start()


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarders(hosts: dict[str, str]) -> Iterator[dict[str, Forwarder]]:
    """One for each door, on that door's host."""
    with contextlib.ExitStack() as open_now:
        yield {
            door: open_now.enter_context(contextlib.closing(Forwarder(host))) for door, host in hosts.items()
        }
