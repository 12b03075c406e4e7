"""What an agent costs its device: a local request over in-process `Tiered`, TLS over plain, memory, rest.

Hub and agent run as users start them. The local endpoint and the in-process call answer with the same model
at the edge, in interleaved rounds. The agent's memory is that of its process over one that runs the same
model with bare ONNX Runtime, both after as many requests, the agent's after a renewal as well; RSS beside
PSS, since this machine may run other programs that share the libraries and make PSS small. For the cost of
TLS one server program runs twice, and the hub, which also looks up whether the certificate still holds.
"""

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

import halocline as hc
from common import CONTROL, CONTROL_TOLERANCE, arguments, measure, report
from halocline.adapters.certificates.authority import CertificateAuthority
from halocline.adapters.certificates.request import make_request
from halocline.adapters.device_folder.identity import read_identity, replace_certificate
from halocline.adapters.sql import open_store
from halocline.fleet import CertificateState
from halocline.wire import oip
from hubs import (
    Line,
    Running,
    hub,
    invite,
    join_device,
    ports_of,
    request,
    running,
    trusting,
    until,
)
from models import MEDIUM_SHAPE, TINY_SHAPE, make_medium, make_tiny, sample

AT_MOST = {
    "tls.cpu_ratio": 1.2,
    "memory.added_rss_mib": 45.0,
    "memory.added_pss_mib": 45.0,
    "rest.cpu_percent_of_a_core": 0.5,
}
SETTINGS = """
[model.tiny]
edge = "tiny.onnx"
cloud = "hub:tiny"
leaves = "samples"
threshold = 0.1

[model.medium]
edge = "medium.onnx"
"""
"""Ten classes: the largest probability is never under 0.1, so that each answer stays at the edge."""
ONE_MODEL = SETTINGS.partition("\n[model.medium]")[0]
BARE = f"""
import sys
import numpy as np
import onnxruntime as ort
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rows = np.zeros((1, {", ".join(map(str, TINY_SHAPE))}), np.float32)
for _ in range(int(sys.argv[2])):
    session.run(None, {{"x": rows}})
print("done", flush=True)
sys.stdin.read()
"""
LIFE_S = 86_400.0
AGED_SHARE = 0.7
"""A certificate that has lived so much of its life is renewed at the first look."""


def main() -> int:
    """Measure one after the other and print."""
    options = arguments(
        __doc__ or "",
        rounds={"type": int, "default": 100, "help": "interleaved rounds of the local endpoint"},
        tls_rounds={"type": int, "default": 60, "help": "rounds of requests with and without TLS"},
        round_requests={"type": int, "default": 300, "help": "requests in such a round"},
        requests={"type": int, "default": 10_000, "help": "requests before the memory is read"},
        rest_s={"type": float, "default": 60.0, "help": "seconds of rest"},
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_tiny(folder)
        make_medium(folder)
        ports = _joined_and_aged(folder)
        with hub(folder / "hub", "--cloud-model", f"tiny={folder / 'tiny.onnx'}", ports=ports) as at_hub:
            local, valid = _local(folder, options)
            memory, rest = _memory_and_rest(folder, options)
            tls, tls_valid = _tls(folder, at_hub, options)
    values = {"local": local, "tls": tls, "memory": memory, "rest": rest}
    return report("agent", values, options, at_most=AT_MOST, valid=valid and tls_valid)


def _joined_and_aged(folder: Path) -> list[int]:
    """Join a device, then let the hub's own authority give it a certificate that is due; the hub's ports."""
    state = folder / "hub"
    with hub(state) as started:
        ports = ports_of(started)
        join_device(folder / "device", invite(state, started, 1))
    identity = read_identity(folder / "device")
    assert identity is not None
    authority = CertificateAuthority.open(state / "ca", now_s=time.time())
    proven = authority.read_request(make_request(identity.key.read_bytes()))
    chain, certificate = authority.issue_device(
        proven.public_key,
        identity.places.device,
        now_s=time.time() - AGED_SHARE * LIFE_S,
        valid_s=LIFE_S,
    )
    with closing(open_store(state / "hub.db")) as store, store.change() as tx:
        tx.put_certificate(certificate)
    replace_certificate(folder / "device", chain, roots="")
    return ports


@contextmanager
def _agent(folder: Path, settings: str) -> Iterator[tuple[Running, Path]]:
    """The agent, and its socket, once the hub has heard of it and its certificate is a new one."""
    (folder / "edge.toml").write_text(settings)
    told = ("--state", str(folder / "device"), "--config", str(folder / "edge.toml"))
    with running("agent", "run", *told) as started:
        until(partial(_is_renewed, folder), "a renewal")
        yield started, folder / "device" / "agent.sock"


def _is_renewed(folder: Path) -> bool:
    """Whether the agent's certificate is a new one, and the hub has seen it used."""
    identity = read_identity(folder / "device")
    assert identity is not None
    with closing(sqlite3.connect(f"file:{folder / 'hub' / 'hub.db'}?mode=ro", uri=True)) as database:
        asked = "SELECT state FROM certificates WHERE serial = ?"
        row = database.execute(asked, (identity.serial,)).fetchone()
    is_new = identity.not_before_s > time.time() - 0.5 * LIFE_S
    return is_new and row == (CertificateState.CURRENT.value,)


def _local(folder: Path, options: Any) -> tuple[dict[str, Any], bool]:
    values, valid = {}, True
    with _agent(folder, SETTINGS) as (_, socket):
        for name, shape, round_s in (("tiny", TINY_SHAPE, 0.01), ("medium", MEDIUM_SHAPE, 0.03)):
            x = sample(shape)[None]
            asked = _infer(name, shape)
            edge = hc.load(folder / f"{name}.onnx")
            with Line(socket) as line, hc.Tiered(edge, _never_asked, threshold=0.1) as tiered:
                calls: dict[str, Callable[[], object]] = {
                    "tiered": partial(tiered.infer, x),
                    "endpoint": partial(line.ask, asked),
                }
                timings = measure(calls, base="tiered", rounds=options.rounds, round_s=round_s, attempts=2)
            values[name] = {
                "tiered_us": timings.median_s("tiered") * 1e6,
                "endpoint_us": timings.median_s("endpoint") * 1e6,
                "ratio": timings.ratio("endpoint"),
                "added_us": timings.added_s("endpoint") * 1e6,
                "control": timings.control,
            }
            valid = valid and timings.is_valid
    return values, valid


def _memory_and_rest(folder: Path, options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = _infer("tiny", TINY_SHAPE)
    with _bare(folder / "tiny.onnx", options.requests) as bare, _agent(folder, ONE_MODEL) as (agent, socket):
        at_start = agent.memory_mib()
        with Line(socket) as line:
            for _ in range(options.requests):
                line.ask(asked)
        ours, theirs = agent.memory_mib(), bare.memory_mib()
        before_s, began_s = agent.cpu_s(), time.perf_counter()
        time.sleep(options.rest_s)
        spent_s, took_s = agent.cpu_s() - before_s, time.perf_counter() - began_s
    memory = {
        "agent_rss_mib": ours[0],
        "bare_rss_mib": theirs[0],
        "added_rss_mib": ours[0] - theirs[0],
        "agent_pss_mib": ours[1],
        "bare_pss_mib": theirs[1],
        "added_pss_mib": ours[1] - theirs[1],
        "grown_rss_mib": ours[0] - at_start[0],
        "requests": options.requests,
    }
    return memory, {"seconds": took_s, "cpu_percent_of_a_core": spent_s / took_s * 100}


@contextmanager
def _bare(model: Path, requests: int) -> Iterator[Running]:
    """A process with the model in bare ONNX Runtime, after as many runs."""
    command = [sys.executable, "-c", BARE, str(model), str(requests)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdin is not None
        if started.stdout.readline() != b"done\n":
            raise SystemExit("bare ONNX Runtime did not start")
        yield Running(psutil.Process(started.pid), {})
        started.stdin.close()


def _tls(folder: Path, at_hub: Running, options: Any) -> tuple[dict[str, Any], bool]:
    """CPU of client and server for a request of 3 KB, and the time by the clock, in interleaved rounds."""
    state, device = folder / "hub", folder / "device" / "identity"
    pair = folder / "pair.pem"
    pair.touch(mode=0o600)
    pair.write_bytes((device / "certificate.pem").read_bytes() + (device / "key.pem").read_bytes())
    tls = trusting(state / "ca.pem", pair)
    served = ("serve", f"tiny={folder / 'tiny.onnx'}", "--port", "0", "--threads", "1")
    certified = [f"--cert={state / 'server.pem'}", f"--key={state / 'server.pem'}"]
    certified.append(f"--client-ca={state / 'ca.pem'}")
    with ExitStack() as stack:
        plain = stack.enter_context(running(*served))
        secured = stack.enter_context(running(*served, *certified))
        plain_line = stack.enter_context(Line(_port(plain)))
        targets = {
            "plain": (plain, plain_line),
            CONTROL: (plain, plain_line),
            "mutual": (secured, stack.enter_context(Line(_port(secured), tls))),
            "hub": (at_hub, stack.enter_context(Line(ports_of(at_hub)[0], tls))),
        }
        cpu_s, wall_s = _in_rounds(targets, options)
    values: dict[str, Any] = {}
    for prefix, seconds in (("cpu", cpu_s), ("wall", wall_s)):
        values[f"plain_{prefix}_us"] = statistics.median(seconds["plain"]) * 1e6
        values[f"{prefix}_ratio"] = _ratio(seconds["mutual"], seconds["plain"])
        values[f"hub_{prefix}_ratio"] = _ratio(seconds["hub"], seconds["plain"])
        values[f"{prefix}_control"] = _ratio(seconds[CONTROL], seconds["plain"])
    return values, abs(values["cpu_control"] - 1) <= CONTROL_TOLERANCE


def _in_rounds(
    targets: dict[str, tuple[Running, Line]], options: Any
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    asked = _infer("tiny", TINY_SHAPE)
    cpu_s: dict[str, list[float]] = {name: [] for name in targets}
    wall_s: dict[str, list[float]] = {name: [] for name in targets}
    names = list(targets)
    for at in range(-len(names), options.tls_rounds):
        # Each follows each other equally often: what runs before leaves its mark on caches.
        turn = names[at % len(names) :] + names[: at % len(names)]
        for name in turn if (at // len(names)) % 2 else reversed(turn):
            server, line = targets[name]
            before_s, began_s = _both_cpu_s(server), time.perf_counter()
            for _ in range(options.round_requests):
                line.ask(asked)
            took_s, spent_s = time.perf_counter() - began_s, _both_cpu_s(server) - before_s
            if at >= 0:  # the first rounds fill caches
                cpu_s[name].append(spent_s / options.round_requests)
                wall_s[name].append(took_s / options.round_requests)
    return cpu_s, wall_s


def _both_cpu_s(server: Running) -> float:
    """CPU seconds of this process and that one, not in ticks of 10 ms as psutil has them (Linux)."""
    its_clock = (~server.process.pid << 3) | 2  # as clock_getcpuclockid makes it, which Python has not
    return time.clock_gettime(its_clock) + time.process_time()


def _ratio(ours: list[float], base: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, base, strict=True))


def _port(started: Running) -> int:
    return int(started.told["url"].rpartition(":")[2])


def _infer(name: str, shape: tuple[int, ...]) -> bytes:
    """One row to that model, in binary, as our own client sends it."""
    encoded = oip.encode_request(
        {"x": sample(shape)[None]}, request_id="0198c0de-0000-7000-8000-000000000000", binary=True
    )
    length = f"{oip.HEADER_LENGTH}: {encoded.header_bytes}"
    return request("POST", f"/v2/models/{name}/infer", b"".join(encoded.parts), length)


def _never_asked(batch: Any) -> Any:
    raise AssertionError(f"the edge was to answer, {len(batch)} rows went up")


if __name__ == "__main__":
    sys.exit(main())
