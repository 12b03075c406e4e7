"""Models and clouds for the tests of Tiered: the edge says what its input says, the cloud keeps a record."""

import threading
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

import halocline as hc

LABELS = ("ant", "bee", "cat", "dog")
CLASSES = len(LABELS)
SLACK_S = 0.25
"""How far after its deadline a call may return on a machine that does other things too."""


def softmax_proto(labels=LABELS, width=CLASSES, input_name="x"):
    """A model whose probabilities are the softmax of its input."""
    graph = helper.make_graph(
        [helper.make_node("Softmax", [input_name], ["probabilities"], axis=1)],
        "softmax",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["N", width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", width])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if labels:
        helper.set_model_props(proto, {"labels": str(list(labels)).replace("'", '"')})
    onnx.checker.check_model(proto)
    return proto


def softmax_model(labels=LABELS, **more):
    return hc.load(softmax_proto(labels), threads=1, **more)


def row(index=0, confidence=0.4):
    """An input of which the edge model says this class, with this probability."""
    probs = np.full(CLASSES, (1 - confidence) / (CLASSES - 1))
    probs[index] = confidence
    return np.log(probs).astype(np.float32)


SURE = row(0, 0.97)
UNSURE = row(0, 0.4)


def batch(*rows):
    return np.stack(rows)


class Cloud:
    """A function that says the class after the edge's, surely, `after_s` later; `trouble` comes first."""

    def __init__(self, after_s=0.0, trouble=None):
        self.after_s = after_s
        self.trouble = trouble
        self.batches = []
        self.let_go = threading.Event()
        self._lock = threading.Lock()

    @property
    def rows(self):
        return sum(len(each) for each in self.batches)

    def __call__(self, x):
        with self._lock:
            self.batches.append(np.array(x))
        if self.trouble is not None:
            return self.trouble(x)
        if self.after_s:
            self.let_go.wait(self.after_s)
        return verdict_on(x)


def verdict_on(x):
    """What such a cloud says."""
    scores = np.full((len(x), CLASSES), 0.02, np.float32)
    scores[np.arange(len(x)), (np.asarray(x).argmax(axis=1) + 1) % CLASSES] = 0.94
    return scores


def timed(ask):
    began_s = time.monotonic()
    return ask(), time.monotonic() - began_s


def eventually(holds, within_s=5.0):
    until_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until_s, "it never came to be"
        time.sleep(0.01)


def our_threads():
    return {each for each in threading.enumerate() if each.name.startswith("halocline")}
