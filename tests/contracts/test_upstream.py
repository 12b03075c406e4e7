"""Every Upstream keeps the port's promises: a function, a model in this process, a server elsewhere."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import halocline as hc
from halocline.edge.inprocess import MAX_WAITING, InProcessUpstream, upstream_of_function, upstream_of_model
from halocline.testing.answers import fixed_scores
from halocline.testing.faults import Fault, FaultServer
from halocline.testing.upstream_contract import (
    CLASSES,
    FEATURES,
    Heard,
    Rig,
    UpstreamContract,
    failed,
    feed_of,
)


class InProcessRig(Rig):
    """Moves a function that stands before the model."""

    def __init__(self, make):
        self.turn = lambda: None
        self.let_go = threading.Event()
        self.upstream = make(lambda: self.turn())

    def answers(self, after_s=0.0):
        self.turn = lambda: self.let_go.wait(after_s)

    def fails(self):
        def turn():
            raise ValueError("on purpose")

        self.turn = turn

    def falls_silent(self):
        self.turn = self.let_go.wait

    def close(self):
        self.let_go.set()


class RemoteRig(Rig):
    """Moves a real server."""

    def __init__(self):
        self.server = FaultServer(features=FEATURES, classes=CLASSES)
        self.upstream = hc.connect(self.server.url)
        self.upstream.wait_ready()

    def answers(self, after_s=0.0):
        self.server.slow_s = after_s
        self.server.mode = Fault.SLOW if after_s else Fault.OK

    def fails(self):
        self.server.mode = Fault.STATUS_500

    def falls_silent(self):
        self.server.mode = Fault.BLACK_HOLE

    def close(self):
        self.server.close()


def function_upstream(turn):
    def cloud(batch):
        turn()
        return fixed_scores(batch)

    return upstream_of_function(cloud)


@pytest.fixture(scope="module")
def fixed_model():
    """`fixed_scores` for rows whose only value is in the first feature: row 0 .. 9 of a table."""
    table = fixed_scores(np.arange(CLASSES, dtype=np.float32)[:, None])
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fixed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])],
        [
            onnx.numpy_helper.from_array(np.array([1]), "axes"),
            onnx.numpy_helper.from_array(table, "table"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return hc.load(proto, scores="probabilities", score_output="probabilities", threads=1)


class TestFunction(UpstreamContract):
    def rig(self):
        return InProcessRig(function_upstream)


class TestModel(UpstreamContract):
    @pytest.fixture(autouse=True)
    def _model(self, fixed_model):
        self.model = fixed_model

    def rig(self):
        def make(turn):
            upstream = upstream_of_model(self.model)
            run = upstream._run

            def moved(feed):
                turn()
                return run(feed)

            upstream.close()
            return InProcessUpstream(self.model.spec, moved)

        return InProcessRig(make)


class TestRemote(UpstreamContract):
    def rig(self):
        return RemoteRig()


def test_calls_of_a_function_that_hangs_are_refused_beyond_a_bound():
    with InProcessRig(function_upstream) as rig:
        rig.falls_silent()
        heard = [Heard() for _ in range(MAX_WAITING + 20)]
        for each in heard:
            rig.upstream.send(feed_of(1), call_id="1", on_verdict=each)
        refused = [each for each in heard if each.verdicts]
        assert len(refused) == 20 - 4  # four are with the workers
        assert all("waiting already" in failed(each.verdicts[0]).detail for each in refused)
        rig.let_go.set()
        for each in heard:
            each.wait(settle_s=0.0)
