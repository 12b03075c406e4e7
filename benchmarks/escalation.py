"""An escalated `Tiered.infer` over a bare edge run and one kept-alive call to the same server by hand."""

import http.client
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http

import halocline as hc
from common import arguments, measure, raw_session, report
from halocline.testing.link import ThrottledLink
from models import TINY_SHAPE, make_tiny, sample
from serve import our_server

AT_MOST = {"ratio": 1.15, "tritonclient_ratio": 0.8, "wire_ratio": 1.15}
WIRE_CALLS = 100


def main() -> int:
    options = arguments(__doc__ or "", rounds={"type": int, "default": 300, "help": "interleaved rounds"})
    x = sample(TINY_SHAPE)[None]
    with tempfile.TemporaryDirectory() as folder:
        path = make_tiny(Path(folder))
        session = raw_session(path)
        with our_server(path) as (port, _), hc.connect(f"http://127.0.0.1:{port}/v2/models/tiny") as cloud:
            url = cloud.url
            cloud.wait_ready()
            edge = hc.load(path, threads=1)
            with hc.Tiered(edge, cloud, threshold=1.0, deadline_s=5.0) as tiered:
                assert tiered.infer(x).reason == hc.Reason.ESCALATED
                by_hand, by_tritonclient = _by_hand(url, x), _by_tritonclient(url, x)

                def over(call: Callable[[], Any]) -> Callable[[], None]:
                    def both() -> None:
                        session.run(None, {"x": x})
                        call()

                    return both

                timings = measure(
                    {
                        "raw": over(by_hand),
                        "tiered": lambda: tiered.infer(x),
                        "tritonclient": over(by_tritonclient),
                    },
                    rounds=options.rounds,
                    round_s=0.02,
                )
            wire_bytes = _wire_bytes(url, edge, x)
    values = {
        "edge_and_http_client_us": timings.median_s("raw") * 1e6,
        "edge_and_tritonclient_us": timings.median_s("tritonclient") * 1e6,
        "tiered_us": timings.median_s("tiered") * 1e6,
        "ratio": timings.ratio("tiered"),
        "tritonclient_ratio": timings.ratio("tiered", "tritonclient"),
        "request_bytes": wire_bytes,
        "wire_ratio": wire_bytes / x.nbytes,
        "control": timings.control,
    }
    return report("escalation", values, options, at_most=AT_MOST, valid=timings.is_valid)


def _by_hand(url: str, x: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """What one writes without a client library: JSON head, tensor bytes, http.client."""
    address, _, model = url.removeprefix("http://").partition("/v2/models/")
    connection = http.client.HTTPConnection(address)

    def call() -> Any:
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": "x",
                        "shape": list(x.shape),
                        "datatype": "FP32",
                        "parameters": {"binary_data_size": x.nbytes},
                    }
                ],
                "parameters": {"binary_data_output": True},
            }
        ).encode()
        connection.request(
            "POST",
            f"/v2/models/{model}/infer",
            head + x.tobytes(),
            {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"},
        )
        response = connection.getresponse()
        body = response.read()
        length = int(response.headers["Inference-Header-Content-Length"])
        output = json.loads(body[:length])["outputs"][0]
        return np.frombuffer(body[length:], np.float32).reshape(output["shape"])

    return call


def _by_tritonclient(url: str, x: np.ndarray[Any, Any]) -> Callable[[], Any]:
    address, _, model = url.removeprefix("http://").partition("/v2/models/")
    client = tritonclient.http.InferenceServerClient(address)

    def call() -> Any:
        tensor = tritonclient.http.InferInput("x", list(x.shape), "FP32")
        tensor.set_data_from_numpy(x)
        return client.infer(model, [tensor]).as_numpy("probabilities")

    return call


def _wire_bytes(url: str, edge: Any, x: np.ndarray[Any, Any]) -> float:
    """Bytes of one escalated request on the wire, HTTP headers and all, as a proxy between counts them."""
    port = int(url.split("/")[2].rpartition(":")[2])
    with ThrottledLink(port) as link:
        cloud = hc.connect(url.replace(f":{port}/", f":{link.port}/"), max_connections=1)
        cloud.wait_ready()
        with hc.Tiered(edge, cloud, threshold=1.0, deadline_s=5.0) as tiered:
            tiered.infer(x)
            before = link.up_bytes
            for _ in range(WIRE_CALLS):
                assert tiered.infer(x).reason == hc.Reason.ESCALATED
            return (link.up_bytes - before) / WIRE_CALLS


if __name__ == "__main__":
    sys.exit(main())
