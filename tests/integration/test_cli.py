"""The promises of the command line: examples that work, one line for a failure, exit codes to trust."""

import inspect
import json
import signal
import socket
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import halocline as hc
from halocline.assemble import ServeOptions, TierOptions
from halocline.cli import main
from halocline.cli.app import ALIASES, COMMANDS
from halocline.cli.serve import serve
from halocline.cli.served_tiers import ServedTiers
from halocline.data.arrays import read_rows
from halocline.decide.promise import Promise
from halocline.errors import Misconfigured
from halocline.wire.policy_file import PolicyFile, write_policy

LABELS = ["cat", "dog", "ox", "yak"]
# serve and demo end otherwise; those of data get and init are run by test_data_get and test_init, and
# those about a hub by test_people_commands, test_audit_commands, test_device_commands, test_alert_messages
# and test_device_channel.
ENDING = [
    each
    for each in (*COMMANDS, *ALIASES)
    if each not in {"serve", "demo", "data get", "init", "login", "whoami"}
    and each.split()[0] not in {"agent", "alert", "audit", "hub", "device", "user", "token", "support"}
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples name: edge.onnx and cloud.onnx, x.npy, rows with labels, and two policies."""
    folder = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 4)).astype("float32")
    (folder / "edge.onnx").write_bytes(classifier(weights))
    (folder / "cloud.onnx").write_bytes(classifier(4 * weights + 0.5))
    np.save(folder / "x.npy", rng.normal(size=(12, 3)).astype("float32"))
    np.save(folder / "bytes.npy", np.zeros((2, 3), "uint8"))
    for name in ("cal", "test"):
        x = rng.normal(size=(200, 3)).astype("float32")
        noisy = x @ (4 * weights + 0.5) + rng.normal(size=(200, 4))
        np.savez(folder / name, x=x, y=np.array(LABELS)[noisy.argmax(axis=1)])
    for name, threshold in (("policy", 0.5), ("candidate", 0.6)):
        file = PolicyFile(
            policy=hc.Policy(threshold=threshold),
            promise=Promise(scope="none", reason="made by hand"),
            edge_digest=hc.load(folder / "edge.onnx").digest,
            cloud="cloud",
        )
        write_policy(folder / f"{name}.toml", file)
    return folder


def classifier(weights):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["v"]), helper.make_node("Softmax", ["v"], ["p"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"labels": json.dumps(LABELS)})
    return model.SerializeToString()


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HALOCLINE_CACHE", str(folder / "cache"))
    return folder


def example(command, capsys):
    """The words of the example that a command's help shows."""
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out.split("\nExample: halocline ")
    assert len(shown) == 2, f"{command} --help shows no example"
    words = shown[1].split()  # the terminal may have broken the line
    assert words[: len(command.split())] == command.split()
    return words


@pytest.mark.parametrize("command", ENDING)
def test_the_example_in_each_help_works(command, here, capsys):
    assert main(example(command, capsys)) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert not printed.err


@pytest.mark.parametrize("command", ENDING)
def test_json_is_one_versioned_object_and_nothing_else(command, here, capsys):
    assert main([*example(command, capsys), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["version"] == 1
    assert not printed.err


@pytest.mark.parametrize("command", ["demo", "init"])
def test_a_command_that_writes_or_takes_long_shows_its_example(command, capsys):
    assert example(command, capsys)[0] == command


def test_serve_can_be_told_everything_there_is_to_tell():
    flags = set(inspect.signature(serve).parameters)
    assert flags - {"provider"} == set(ServeOptions.__struct_fields__) - {"providers"}
    defaults = {
        name: each.default
        for name, each in inspect.signature(serve).parameters.items()
        if name not in {"provider", "models", "tiers"}
    }
    assert defaults == {name: getattr(ServeOptions(models=()), name) for name in defaults}
    assert {each.name for each in fields(ServedTiers)} == set(TierOptions.__struct_fields__)


def test_a_server_answers_what_the_model_answers_here(here, capsys):
    words = [word if word != "8000" else "0" for word in example("serve", capsys)]
    command = [sys.executable, "-m", "halocline", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = json.loads(server.stdout.readline())["url"] + "/v2/models/edge"
            assert main(["infer", url, "--data", "x.npy", "--json"]) == 0
            remote = json.loads(capsys.readouterr().out)["rows"]
            assert main(["doctor", url, "--json"]) == 0
            checks = {each["name"]: each["status"] for each in json.loads(capsys.readouterr().out)["checks"]}
            x = np.load("x.npy")
            x[3, 0] = np.nan
            np.save("nan.npy", x)
            assert main(["infer", url, "--data", "nan.npy"]) == 2
            refused = capsys.readouterr().err
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0, server.stderr.read()
    assert main(["infer", "edge.onnx", "--data", "x.npy", "--json"]) == 0
    local = json.loads(capsys.readouterr().out)["rows"]
    assert len(local) == 10
    for ours, theirs in zip(local, remote, strict=True):
        assert ours["value"] == theirs["value"]
        assert ours["value"] in LABELS
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-6)
    place = url.split("/")[2]
    assert {f"{place} {step}" for step in ("address", "connection", "ready", "server", "model")} <= set(
        checks
    )
    assert set(checks.values()) == {"ok"}
    assert "row 3: " in refused
    assert "holds NaN" in refused
    assert refused.count("[HAL-") == 1


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ("infer none.onnx --data x.npy", 2, "none.onnx does not exist (looked in "),
        ("infer x.npy --data x.npy", 2, "x.npy is not a whole ONNX model"),
        ("infer edge.onnx --data none.npy", 2, "[HAL-304]"),
        ("infer edge.onnx --data edge.onnx", 2, "is in no form that is read here"),
        ("infer edge.onnx --data bytes.npy", 2, "x.astype('float32') / 255"),
        ("infer edge.onnx --data x.npy --rows -1", 2, "--rows must be 0 (all) or more, got -1"),
        ("infer edge.onnx --data x.npy --scores logit", 2, "Did you mean 'logits'?"),
        ("infer ftp://host/v2/models/m --data x.npy", 2, "[HAL-104]"),
        ("infer http://127.0.0.1:1/v2/models/m --data x.npy --timeout-s 0.2", 4, "[HAL-404]"),
        ("infer edge.onnx", 2, "--data"),
        ("infer edge.onnx --data x.npy --jsno", 2, "Did you mean --json?"),
        ("infer edge.onnx --data x.npy --rows many", 2, "--rows"),
        ("infre edge.onnx", 2, 'Did you mean "infer"?'),
        ("policy show none.toml", 2, "none.toml does not exist. Make one with: halocline tune"),
        ("policy diff policy.toml x.npy", 2, "x.npy is not text"),
        ("policy tun", 2, 'Did you mean "tune"?'),
        ("tune --edge edge.onnx --cloud cloud.onnx", 2, "--data"),
        ("model inspct edge.onnx", 2, 'Did you mean "inspect"?'),
        ("serve", 2, "[HAL-206]"),
        ("serve edge.onnx --port 99999", 2, "--port must be in [0, 65535], got 99999"),
        ("serve edge.onnx --host 0.0.0.0", 2, "[HAL-106]"),
        ("explain HAL-30", 2, "Did you mean HAL-3"),
        ("doctor --timeout-s 0", 2, "--timeout-s must be above 0"),
    ],
)
def test_a_failure_is_one_line_with_the_likely_fix_and_its_exit_code(words, exit_code, says, here, capsys):
    assert main(words.split()) == exit_code
    printed = capsys.readouterr()
    assert not printed.out
    assert says in printed.err
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1


def test_debug_shows_where_an_error_arose(here, capsys):
    for words in (["--debug", "infer", "none.onnx", "--data", "x.npy"], ["explain", "HAL-000", "--debug"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "Traceback (most recent call last)" in said
        assert said.splitlines()[-1].startswith("error: ")


def test_doctor_fails_with_its_exit_code_and_a_fix(here, capsys):
    assert main(["doctor", "none.onnx", "http://127.0.0.1:1"]) == 1
    printed = capsys.readouterr().out
    assert "fail  model none.onnx: none.onnx does not exist" in printed
    assert (
        "fail  127.0.0.1:1 connection: 127.0.0.1:1 refuses\n      fix: check that the server runs" in printed
    )
    assert printed.splitlines()[-1].endswith("2 fail")


def test_a_model_with_unknown_scores_is_still_looked_at(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    (tmp_path / "raw.onnx").write_bytes(model.SerializeToString())
    np.save("one.npy", np.arange(5, dtype="float32"))
    assert main(["infer", "raw.onnx", "--data", "one.npy"]) == 0
    printed = capsys.readouterr().out
    assert "y: 0, 1, 2, 3, …" in printed
    assert "--scores" in printed
    assert main(["infer", "raw.onnx", "--data", "one.npy", "--scores", "logits"]) == 0
    assert "confidence" in capsys.readouterr().out
    assert main(["doctor", "raw.onnx"]) == 0
    assert "warn  model raw.onnx scores" in capsys.readouterr().out


def test_rows_are_read_by_name_and_objects_are_refused(tmp_path):
    x, y = np.ones((2, 3)), np.zeros(2)
    np.savez(tmp_path / "only.npz", anything=x)
    np.savez(tmp_path / "named.npz", y=y, inputs=x)
    np.savez(tmp_path / "several.npz", age=y, image=x)
    assert np.array_equal(read_rows(tmp_path / "only.npz"), x)
    assert np.array_equal(read_rows(tmp_path / "named.npz"), x)
    assert set(read_rows(tmp_path / "several.npz")) == {"age", "image"}
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "only.npz").read_bytes()[:40])
    for name, says in (("objects.npy", "Python objects"), ("cut.npy", "not an .npy or .npz")):
        with pytest.raises(Misconfigured, match=says):
            read_rows(tmp_path / name)


def test_version_and_help_load_no_runtime():
    script = (
        "import sys\nfrom halocline.cli import main\n"
        "main(['--version']); bare = {'cyclopts', 'numpy'} & set(sys.modules)\n"
        "main(['--help']); main(['serve', '--help'])\n"
        "print(bare, {'onnxruntime', 'uvicorn', 'prometheus_client', 'sklearn', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("halocline ")
    assert done.stdout.splitlines()[-1] == "set() set()"


def test_ctrl_c_ends_a_command_without_a_traceback(here):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v2/models/m"
        command = [sys.executable, "-m", "halocline", "infer", url, "--data", "x.npy", "--timeout-s", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            silent.settimeout(20)
            connection, _ = silent.accept()  # the command is now waiting for an answer
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            connection.close()
    assert (process.returncode, out, err) == (130, "", "")


def test_a_reader_that_leaves_early_causes_no_traceback():
    command = [sys.executable, "-m", "halocline", "explain", "301"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
