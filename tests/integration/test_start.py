"""The promises of a fresh process to its first answer."""

import subprocess
import sys

import pytest
from onnx import TensorProto, helper

START = """
import sys, threading
import onnxruntime  # what it loads itself is no part of ours

class Watch:
    loaded = set()
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            self.loaded.add(name)

sys.meta_path.insert(0, Watch())
import numpy as np
import halocline as hc
tiered = hc.Tiered(hc.load(sys.argv[1]), hc.connect(sys.argv[2]), threshold=0.1)
reply = tiered.infer(np.zeros((1, 4), np.float32))
loaded = set(Watch.loaded)
with tiered:
    pass
print(reply.tier, reply.reason, *loaded)
"""
NOT_BEFORE_AN_ANSWER = [
    "asyncio",
    "email",
    "http",
    "importlib.metadata",
    "logging",
    "selectors",
    "socket",
    "ssl",
    "urllib.parse",
    "halocline.adapters.http.dial",
    "halocline.catalogue",
    "halocline.edge.health",
    "halocline.inputs.description",
    "halocline.wire",
]


@pytest.fixture(scope="module")
def waited_for(tmp_path_factory):
    """The modules that a first sure answer waits for, beyond those of the bare runtime."""
    takes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    gives = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=1)], "g", [takes], [gives])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = tmp_path_factory.mktemp("start") / "edge.onnx"
    path.write_bytes(model.SerializeToString())
    command = [sys.executable, "-c", START, path, "http://127.0.0.1:9/v2/models/cloud"]
    tier, reason, *loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert (tier, reason) == ("edge", "confident")
    return set(loaded)


@pytest.mark.parametrize("module", NOT_BEFORE_AN_ANSWER)
def test_the_first_sure_answer_does_not_wait_for(module, waited_for):
    assert "halocline.adapters.http.remote" in waited_for
    assert module not in waited_for
