"""The link's delay, bandwidth, cuts and counters are what they say."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from halocline.testing.link import Existing, Fresh, ThrottledLink


@contextmanager
def echo_server() -> Iterator[int]:
    """Echoes each connection until its end of stream."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(sock: socket.socket) -> None:
        with sock:
            try:
                while part := sock.recv(65_536):
                    sock.sendall(part)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(sock,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()


@contextmanager
def connected(link: ThrottledLink, timeout_s: float = 5.0) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", link.port), timeout=timeout_s) as sock:
        yield sock


def receive(sock: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (part := sock.recv(count - len(received))):
        received += part
    return received


def test_bytes_pass_unchanged_and_are_counted_each_way() -> None:
    payload = bytes(range(256)) * 4_000
    with echo_server() as port, ThrottledLink(port) as link, connected(link) as sock:
        threading.Thread(target=sock.sendall, args=(payload,), daemon=True).start()
        assert receive(sock, len(payload)) == payload
        assert (link.up_bytes, link.down_bytes) == (len(payload), len(payload))


def test_the_end_of_a_stream_passes_too() -> None:
    with echo_server() as port, ThrottledLink(port) as link, connected(link) as sock:
        sock.sendall(b"last words")
        sock.shutdown(socket.SHUT_WR)
        assert receive(sock, 100) == b"last words"
        assert sock.recv(1) == b""


def test_a_delay_of_50_ms_each_way_is_100_ms_there_and_back_within_a_fifth() -> None:
    with echo_server() as port, ThrottledLink(port, delay_s=0.05) as link, connected(link) as sock:
        times_s = []
        for _ in range(7):
            asked_s = time.monotonic()
            sock.sendall(b"ping")
            receive(sock, 4)
            times_s.append(time.monotonic() - asked_s)
        assert 0.1 <= min(times_s) <= 0.12  # a busy machine adds to any of them


def test_one_megabit_a_second_is_one_within_a_fifth() -> None:
    sent = 60_000  # 0.48 s at 1 Mbit/s
    seen = []
    for _ in range(4):  # a busy machine makes any link slower, never quicker
        with echo_server() as port, ThrottledLink(port, bits_per_s=1e6) as link, connected(link) as sock:
            asked_s = time.monotonic()
            threading.Thread(target=sock.sendall, args=(bytes(sent),), daemon=True).start()
            receive(sock, sent)
            seen.append(sent * 8 / (time.monotonic() - asked_s))
        assert seen[-1] < 1.2e6
        if seen[-1] > 0.8e6:
            break
    assert max(seen) > 0.8e6


def test_two_connections_share_the_bandwidth() -> None:
    sent = 25_000  # twice: 0.4 s at 1 Mbit/s
    took_s = []
    for _ in range(4):  # a busy machine makes any link slower, never quicker
        with (
            echo_server() as port,
            ThrottledLink(port, bits_per_s=1e6) as link,
            connected(link) as one,
            connected(link) as other,
        ):
            asked_s = time.monotonic()
            for sock in (one, other):
                threading.Thread(target=sock.sendall, args=(bytes(sent),), daemon=True).start()
            receive(one, sent)
            receive(other, sent)
            took_s.append(time.monotonic() - asked_s)
        assert took_s[-1] > 0.32
        if took_s[-1] < 0.52:
            break
    assert min(took_s) < 0.52


def test_frozen_connections_pass_nothing_and_then_everything() -> None:
    with echo_server() as port, ThrottledLink(port) as link, connected(link) as sock:
        sock.sendall(b"before")
        assert receive(sock, 6) == b"before"
        link.cut(Existing.FREEZE)
        counted = link.up_bytes
        sock.sendall(b"during")
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert link.up_bytes == counted
        link.restore()
        assert receive(sock, 6) == b"during"


def test_a_cut_with_reset_ends_what_is_open_and_refuses_what_comes() -> None:
    with echo_server() as port, ThrottledLink(port) as link, connected(link) as sock:
        sock.sendall(b"before")
        receive(sock, 6)
        at = link.port
        link.cut(Existing.RESET, Fresh.REFUSE)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        with pytest.raises(ConnectionRefusedError), connected(link):
            pass
        link.restore()
        assert link.port == at
        with connected(link) as again:
            again.sendall(b"after")
            assert receive(again, 5) == b"after"


def test_a_silent_cut_accepts_and_says_nothing_until_it_ends() -> None:
    with echo_server() as port, ThrottledLink(port) as link:
        link.cut("freeze", "silence")
        with connected(link, timeout_s=0.3) as sock:
            sock.sendall(b"hello")
            with pytest.raises(TimeoutError):
                sock.recv(1)
            link.restore()
            assert receive(sock, 5) == b"hello"


def test_where_the_target_is_gone_the_caller_is_reset() -> None:
    with echo_server() as port:
        pass
    with ThrottledLink(port) as link, pytest.raises(ConnectionResetError), connected(link) as sock:
        sock.recv(1)


def test_closing_leaves_no_thread_whatever_is_open() -> None:
    with echo_server() as port:
        before = set(threading.enumerate())
        link = ThrottledLink(port, delay_s=5.0)
        with connected(link) as sock:
            sock.sendall(b"never arrives")
            link.cut()
            link.close()
            link.close()
            assert set(threading.enumerate()) == before
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
