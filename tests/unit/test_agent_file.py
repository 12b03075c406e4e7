"""An agent's configuration: what it may say, what is told of what it may not, and where a value came from."""

from pathlib import Path

import pytest

import halocline as hc
from halocline.wire.agent_file import AgentConfig, read_agent_file, starter, told

LEAST = '[model.edge]\nedge = "edge.onnx"\n'


def read(tmp_path: Path, text: str, **environment: str) -> AgentConfig:
    (tmp_path / "edge.toml").write_text(text, encoding="utf-8")
    return read_agent_file(tmp_path / "edge.toml", environment)


def refused(tmp_path: Path, text: str, **environment: str) -> str:
    with pytest.raises(hc.Misconfigured, match="HAL-728") as caught:
        read(tmp_path, text, **environment)
    return caught.value.message.removeprefix(f"{tmp_path / 'edge.toml'}: ")


def test_a_model_alone_is_enough_and_nothing_of_it_leaves(tmp_path: Path) -> None:
    config = read(tmp_path, LEAST)
    (model,) = config.models.values()
    assert model.edge == str(tmp_path / "edge.onnx")
    assert (model.leaves, model.escalates, model.deadline_s) == ("nothing", False, 0.3)
    assert (config.listen, config.poll_s) == ("", 60.0)


def test_samples_go_up_only_where_they_may_leave_and_there_is_somewhere_to_go(tmp_path: Path) -> None:
    for leaves, cloud, goes in (
        ("samples", 'cloud = "hub:big"\n', True),
        ("features", 'cloud = "hub:big"\n', False),
        ("samples", "", False),
    ):
        config = read(tmp_path, f'{LEAST}{cloud}leaves = "{leaves}"\n')
        assert config.models["edge"].escalates is goes


def test_paths_are_taken_from_the_folder_of_the_file_and_addresses_are_left(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        f'{LEAST}cloud = "hub:big"\n[model.b]\nedge = "/abs/b.onnx"\ncloud = "https://h/v2/models/b"\n'
        '[model.c]\nedge = "sub/c.onnx"\ncloud = "c2.onnx"\npolicy = "p.toml"\n',
    )
    assert config.models["edge"].cloud == "hub:big"
    assert (config.models["b"].edge, config.models["b"].cloud) == ("/abs/b.onnx", "https://h/v2/models/b")
    assert config.models["c"].cloud == str(tmp_path / "c2.onnx")
    assert config.models["c"].policy == str(tmp_path / "p.toml")


def test_a_variable_goes_before_the_file_and_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        f"[hub]\npoll_s = 5\n{LEAST}threshold = 0.7\n",
        HALOCLINE_MODEL_EDGE_THRESHOLD="0.9",
        HALOCLINE_AGENT_LISTEN="127.0.0.1:8600",
    )
    assert config.models["edge"].threshold == 0.9
    sources = {name: (value, source) for name, value, source in told(config)}
    assert sources["model.edge.threshold"] == (0.9, "HALOCLINE_MODEL_EDGE_THRESHOLD")
    assert sources["agent.listen"] == ("127.0.0.1:8600", "HALOCLINE_AGENT_LISTEN")
    assert sources["hub.poll_s"] == (5.0, "file")
    assert sources["model.edge.deadline_s"] == (0.3, "default")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{LEAST}treshold = 0.5\n", ["model.edge.treshold is not a key", "Did you mean 'threshold'?"]),
        (f"[agnet]\n{LEAST}", ["agnet is not a key", "Did you mean 'agent'?"]),
        (f"{LEAST}threshold = 80\n", ["in [0, 1] (confidence), got 80.0", "Did you mean 0.8?"]),
        (f"{LEAST}threshold = -1\n", ["in [0, 1]", "got -1.0"]),
        (f"{LEAST}deadline_s = 0\n", ["in [0.001, 3600] (seconds)"]),
        (f"[hub]\npoll_s = 100000\n{LEAST}", ["in [1, 86400] (seconds)", "Did you mean 100?"]),
        (f'{LEAST}leaves = "sample"\n', ["one of nothing, summaries, features, samples", "'samples'"]),
        (f'{LEAST}threshold = "0.5"\n', ["a number (confidence), got '0.5'"]),
        (f"{LEAST}threshold = true\n", ["a number (confidence), got True"]),
        (f"{LEAST}threshold = nan\n", ["in [0, 1]", "got nan"]),
        (f'{LEAST}policy = "p.toml"\nthreshold = 0.5\n', ["has policy and threshold"]),
        ('[model.edge]\ncloud = "c.onnx"\n', ["[model.edge] has no edge", 'edge = "model.onnx"']),
        ('[model."a b"]\nedge = "e.onnx"\n', ["is no name for a model"]),
        ("model = 3\n", ["model must be a table"]),
        ("[agent]\n", ["it names no model"]),
        ("[agent\n", ["is not TOML"]),
    ],
)
def test_what_is_wrong_is_told_with_what_was_expected_and_what_was_seen(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    message = refused(tmp_path, text)
    for word in words:
        assert word in message


def test_a_wrong_variable_is_named_as_such(tmp_path: Path) -> None:
    message = refused(tmp_path, LEAST, HALOCLINE_HUB_POLL_S="often")
    assert message == "HALOCLINE_HUB_POLL_S must be a number (seconds), got 'often'"


def test_a_file_that_is_not_there_says_how_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(hc.Misconfigured, match=r"does not exist.*agent config --example"):
        read_agent_file(tmp_path / "none.toml")


def test_the_example_is_a_configuration_and_has_every_key(tmp_path: Path) -> None:
    text = starter()
    config = read(tmp_path, text)
    assert config.models["edge"].escalates
    for name, _, _ in told(config):
        assert f"{name.rpartition('.')[2]} =" in text
