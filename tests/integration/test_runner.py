"""The promises of loading: what a model is, is read from it or said by the user, and never guessed."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from halocline.adapters.onnxruntime import load
from halocline.errors import Misconfigured
from halocline.records import ScoreKind


def network(*ends, classes=4, rows="n", name="p", dtype=TensorProto.FLOAT, metadata=None):
    """x [rows, 3] through random weights and then the operators named."""
    weights = np.random.default_rng(0).normal(size=(3, classes)).astype("float32")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["v0"])]
    for at, end in enumerate(ends):
        attributes = {"to": dtype} if end == "Cast" else {}
        nodes.append(helper.make_node(end, [f"v{at}"], [f"v{at + 1}"], **attributes))
    nodes[-1].output[0] = name
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info(name, dtype, [rows, classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, metadata or {})
    return model


@pytest.fixture(scope="module")
def digits():
    features, classes = load_digits(return_X_y=True)
    return features[:300].astype("float32"), classes[:300]


def failure(code, call, *arguments, **options):
    with pytest.raises(Misconfigured) as caught:
        call(*arguments, **options)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        (["Softmax"], ScoreKind.PROBABILITIES),
        (["Softmax", "Identity"], ScoreKind.PROBABILITIES),
        (["Softmax", "Flatten"], ScoreKind.PROBABILITIES),
        (["LogSoftmax"], ScoreKind.LOG_PROBABILITIES),
        (["Softmax", "Relu"], None),
        (["Sigmoid"], None),
        ([], None),
    ],
)
def test_scores_are_recognised_from_the_end_of_the_graph_and_never_guessed(ends, kind):
    model = load(network(*ends))
    assert model.spec.score_kind is kind
    assert model.spec.score_output == ("p" if kind else None)


def test_scores_are_seen_through_a_cast():
    model = load(network("Softmax", "Cast", dtype=TensorProto.DOUBLE))
    assert model.spec.score_kind is ScoreKind.PROBABILITIES
    assert model.spec.outputs[0].dtype == "float64"


def test_a_softmax_over_another_axis_than_the_classes_is_not_taken_for_probabilities():
    model = network("Softmax")
    model.graph.node[-1].attribute.append(helper.make_attribute("axis", 0))
    loaded = load(model)
    assert loaded.spec.score_kind is None
    assert "do not sum to 1" in loaded.scores.how


def test_an_operator_named_softmax_of_another_domain_proves_nothing():
    model = network("Softmax")
    model.graph.node[-1].domain = "com.acme"
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    body = helper.make_function(
        "com.acme",
        "Softmax",
        ["a"],
        ["b"],
        [helper.make_node("Relu", ["a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    model.functions.append(body)
    assert load(model).spec.score_kind is None


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(max_iter=50), RandomForestClassifier(5), MLPClassifier((8,), max_iter=20)],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore")
def test_probabilities_of_scikit_learn_models_are_found_and_read(estimator, digits):
    features, classes = digits
    estimator.fit(features, classes)
    model = load(to_onnx(estimator, features[:1], options={"zipmap": False}, target_opset=17))
    assert (model.spec.score_output, model.spec.score_kind) == ("probabilities", ScoreKind.PROBABILITIES)
    confidences = [each.confidence for each in model.predict_batch(features[:20])]
    assert confidences == pytest.approx(estimator.predict_proba(features[:20]).max(axis=1), abs=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_scores_of_scikit_learn_that_are_no_probabilities_stay_unknown(digits):
    features, classes = digits
    linear = LogisticRegression(max_iter=20).fit(features, classes)
    raw = to_onnx(linear, features[:1], options={"zipmap": False, "raw_scores": True}, target_opset=17)
    distances = to_onnx(KMeans(3, n_init=1).fit(features), features[:1], target_opset=17)
    assert load(raw).spec.score_kind is None
    assert load(distances).spec.score_kind is None


@pytest.mark.filterwarnings("ignore")
def test_a_zipmap_is_refused_with_the_option_that_leaves_it_out(digits):
    features, classes = digits
    model = to_onnx(LogisticRegression(max_iter=20).fit(features, classes), features[:1], target_opset=17)
    assert '{"zipmap": False}' in failure("HAL-202", load, model)


def test_unknown_scores_are_an_error_only_when_they_are_needed_and_it_says_what_to_say():
    model = load(network())
    assert len(model.run(model.conform([1.0, 2.0, 3.0]))) == 1
    assert "scores='logits'" in failure("HAL-202", model.predict, [1.0, 2.0, 3.0])


def test_the_users_word_about_the_scores_counts():
    model = load(network(), scores="logits")
    logits = model.run(model.conform([1.0, 2.0, 3.0]))[0][0].astype("float64")
    expected = np.exp(logits) / np.exp(logits).sum()
    assert model.predict([1.0, 2.0, 3.0]).scores == pytest.approx(expected, abs=1e-6)
    assert model.require_scores() == (0, ScoreKind.LOGITS)


def test_a_word_about_the_scores_that_cannot_be_true_is_refused():
    model = network()
    model.graph.node.insert(0, helper.make_node("Sub", ["x", "ten"], ["shifted"]))
    model.graph.node[1].input[0] = "shifted"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(10), "ten"))
    assert "cannot be right" in failure("HAL-202", load, model, scores="probabilities")
    assert "Did you mean 'logits'" in failure("HAL-102", load, model, scores="logit")
    assert "none of p" in failure("HAL-102", load, model, scores="logits", score_output="q")


def test_with_several_outputs_the_user_says_which():
    model = network("Softmax")
    model.graph.output.append(helper.make_tensor_value_info("v0", TensorProto.FLOAT, ["n", 4]))
    assert load(model).spec.score_output == "p"
    assert load(model, scores="logits", score_output="v0").require_scores() == (1, ScoreKind.LOGITS)
    assert "score_output=NAME" in failure("HAL-202", load, model, scores="logits")


def test_the_name_comes_from_the_file_and_everything_is_told_by_repr(tmp_path):
    path = tmp_path / "edge.onnx"
    path.write_bytes(network("Softmax").SerializeToString())
    model = load(path, version="3", labels=["a", "b", "c", "d"], threads=1)
    assert str(model.spec.ref) == "edge@3"
    assert model.warmup_s is not None
    assert repr(model) == (
        "<OnnxModel edge@3: x float32 [N, 3] -> p float32 [N, 4]; "
        "scores: probabilities ('p' ends in a Softmax); 4 labels; runs on CPU (the only one installed)>"
    )


def test_labels_come_from_a_list_a_file_or_the_model(tmp_path):
    names = ("cat", "dog", "ox", "yak")
    lines, listed = tmp_path / "labels.txt", tmp_path / "labels.json"
    lines.write_text("cat\ndog\nox\nyak\n\n")
    listed.write_text(json.dumps(names))
    inside = network("Softmax", metadata={"labels": json.dumps(names)})
    for model in (
        load(network("Softmax"), labels=names),
        load(network("Softmax"), labels=lines),
        load(network("Softmax"), labels=str(listed)),
        load(inside),
    ):
        assert model.spec.labels == names
        prediction = model.predict([1.0, 2.0, 3.0])
        assert prediction.value == prediction.label == names[prediction.index]


def test_labels_that_do_not_fit_are_refused_naming_the_file_and_both_counts(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("cat\ndog\n")
    message = failure("HAL-203", load, network("Softmax"), labels=path)
    assert str(path) in message
    assert "2 labels" in message
    assert "4 classes" in message
    assert "twice" in failure("HAL-203", load, network("Softmax"), labels=["a", "a", "b", "c"])
    assert "No such file" in failure("HAL-203", load, network("Softmax"), labels=tmp_path / "none.txt")
    path.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in failure("HAL-203", load, network("Softmax"), labels=path)
    (tmp_path / "l.json").write_text("{}")
    assert "JSON list" in failure("HAL-203", load, network("Softmax"), labels=tmp_path / "l.json")


def test_a_provider_that_is_not_there_is_an_error_and_the_default_says_why():
    assert "CPUExecutionProvider" in failure("HAL-205", load, network(), providers=["cuda"])
    assert "Did you mean 'cpu'" in failure("HAL-205", load, network(), providers=["cqu"])
    assert load(network(), providers=["cpu"]).provider.why == "asked for"
    assert load(network()).provider.provider == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"not a model at all", "not a whole ONNX model"),
        (b"PK\x03\x04rest", "zip file"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (network("Softmax").SerializeToString()[:90], "cut short"),
    ],
)
def test_a_file_that_is_no_model_is_one_line_that_says_what_it_is(tmp_path, content, says):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    message = failure("HAL-201", load, path)
    assert says in message
    assert str(path) in message


def test_what_the_runtime_lacks_is_named_without_its_own_source_places(tmp_path):
    unknown = network("NoSuchOperator")
    newer = network("Softmax")
    newer.ir_version = 99
    future = network("Softmax")
    future.opset_import[0].version = 999
    assert "NoSuchOperator" in failure("HAL-201", load, unknown)
    assert "IR version" in failure("HAL-201", load, newer)
    assert "pset 999" in failure("HAL-201", load, future)
    for model in (newer, future):
        assert ".cc:" not in failure("HAL-201", load, model)
        assert ".h:" not in failure("HAL-201", load, model)
    assert "does not exist" in failure("HAL-201", load, tmp_path / "none.onnx")
    assert "not a file" in failure("HAL-201", load, tmp_path)
    assert "got int" in failure("HAL-201", load, 5)
    assert "threads" in failure("HAL-101", load, network(), threads=0)


def test_a_model_from_bytes_lives_without_the_callers_buffer():
    content = bytearray(network("Softmax").SerializeToString())
    model = load(content)
    before = model.predict([1.0, 2.0, 3.0]).confidence
    content[:] = bytes(len(content))
    assert model.predict([1.0, 2.0, 3.0]).confidence == before


def test_damage_inside_a_file_is_told_like_damage_to_its_form():
    content = network("Softmax", rows="rows_axis").SerializeToString()
    assert "UTF-8" in failure("HAL-201", load, content.replace(b"rows_axis", b"\xff\xfe\xfd\xfc_axis"))


def test_an_input_that_no_memory_holds_is_not_tried():
    model = network("Softmax", rows=2**40)
    assert load(model).warmup_s is None


@pytest.mark.filterwarnings("ignore")
def test_changed_bytes_load_or_end_in_one_error():
    content = network("Softmax").SerializeToString()
    rng = np.random.default_rng(0)
    for _ in range(300):
        changed = np.frombuffer(content, "uint8").copy()
        changed[rng.integers(len(changed), size=3)] = rng.integers(256, size=3)
        try:
            load(changed.tobytes())
        except Misconfigured as exc:
            message = str(exc)
        else:
            continue
        assert "\n" not in message
        assert len(message) < 500
