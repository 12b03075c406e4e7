"""Tuning and evaluating with real models, a real server and the real command line."""

import json

import numpy as np
import onnxruntime
import pytest
from commands import output, run
from servers import serving

import halocline as hc
from halocline.cli import main
from halocline.cli.words import threshold
from halocline.wire.policy_file import read_policy

NO_CLOUD = "--cloud http://127.0.0.1:1/v2/models/m --timeout-s 0.3"
TUNE_ROWS = 240


@pytest.fixture(scope="module")
def digits():
    return hc.samples.digits()


@pytest.fixture
def here(digits, tmp_path, monkeypatch):
    """A folder with cal.npz and test.npz, and a cache of this test's own."""
    monkeypatch.chdir(tmp_path)
    x, y = digits.x, digits.y
    np.savez("cal.npz", x=x[:TUNE_ROWS], y=y[:TUNE_ROWS])
    np.savez("test.npz", inputs=x[TUNE_ROWS:], labels=np.array([str(each) for each in y[TUNE_ROWS:]]))
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def probabilities(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"X": x})[0])


def test_a_second_tuning_makes_no_call_by_the_clouds_own_log(here, digits, capsys):
    log = here / "access.jsonl"
    with serving(f"cloud={digits.cloud_path}", access_log=log) as server:
        words = ["tune", "--edge", digits.edge_path, "--cloud", f"{server.url}/v2/models/cloud"]
        words += ["--data", "cal.npz", "--max-loss", "2%"]
        first = output(capsys, *words)
        asked = log.read_text().splitlines()
        again = output(capsys, *words)
        assert log.read_text().splitlines() == asked
        third = json.loads(output(capsys, *words, "--no-cache", "--json"))
        assert len(log.read_text().splitlines()) == len(asked) + third["asked"]["calls"]
    assert sum(json.loads(line)["rows"] for line in asked) == TUNE_ROWS
    assert f"{TUNE_ROWS} rows asked in 1 call" in first
    assert f"no call made, all {TUNE_ROWS} answers are known from before" in again
    assert "Changed against policy.toml:\n- nothing" in again
    policy = read_policy("policy.toml")
    assert (policy.cloud, policy.cloud_digest) == ("cloud@1", None)


def test_the_policy_does_in_tiered_what_the_evaluation_says_it_does(here, digits, capsys):
    for flags in (["--max-loss", "2%"], ["--max-loss", "2%", "--novelty"], ["--escalate", "27%"]):
        models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
        run(capsys, "tune", *models, "--data", "cal.npz", *flags)
        told = json.loads(
            output(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.npz", "--json")
        )
        edge, cloud = hc.load(digits.edge_path), hc.load(digits.cloud_path)
        with hc.Tiered(edge, cloud, policy="policy.toml", deadline_s=30) as tiered:
            replies = [tiered.infer(row) for row in digits.x[TUNE_ROWS:]]
        truth = [str(each) for each in digits.y[TUNE_ROWS:]]
        assert told["bill"]["calls"] == sum(reply.tier == "cloud" for reply in replies)
        accuracy = np.mean([reply.label == right for reply, right in zip(replies, truth, strict=True)])
        assert told["tiered"]["accuracy"]["value"] == pytest.approx(accuracy)
        assert {reply.policy for reply in replies} == {"file"}


def test_the_evaluation_agrees_with_a_count_by_other_means(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    run(capsys, "tune", *models, "--data", "cal.npz", "--max-loss", "2%")
    told = json.loads(
        output(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.npz", "--json")
    )
    x, y = digits.x[TUNE_ROWS:], digits.y[TUNE_ROWS:]
    edge, cloud = probabilities(digits.edge_path, x), probabilities(digits.cloud_path, x)
    up = edge.max(axis=1) < read_policy("policy.toml").policy.threshold
    right = {"edge": edge.argmax(axis=1) == y, "cloud": cloud.argmax(axis=1) == y}
    right["tiered"] = np.where(up, right["cloud"], right["edge"])
    for tier, hits in right.items():
        assert told[tier]["accuracy"]["value"] == pytest.approx(hits.mean())
        recall = [hits[y == each].mean() for each in range(10)]
        assert told[tier]["balanced_accuracy"]["value"] == pytest.approx(np.mean(recall))
        assert [told[tier]["recall"][str(each)]["value"] for each in range(10)] == pytest.approx(recall)
    lost = (~up & ~right["edge"] & right["cloud"]).mean()
    assert told["lost"]["value"] == pytest.approx(lost)
    assert told["saved"] == pytest.approx((~up).mean())
    assert told["promise"]["state"] == ("held" if lost <= 0.02 else told["promise"]["state"])


def test_what_tune_prints_is_what_a_newcomer_asks_for(here, digits, capsys):
    words = ["tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--data", "cal.npz"]
    run(capsys, *words, "--escalate", "27%")
    said = output(capsys, *words, "--max-loss", "0.02", "--test", "test.npz", "--plot", "curve.svg")
    for part in (
        "threshold  0.",
        "of 1,000 requests",
        "for more rows like these, at most 2 % of the answers are lost against the cloud",
        "cloud alone 9",
        "always '",
        "calls per 1,000",
        "→",
        "On other rows:",
        "Changed against policy.toml:",
        "- policy.share: 0.27 -> not set",
        'hc.Tiered(edge, cloud, policy="policy.toml")',
    ):
        assert part in said
    assert (here / "curve.svg").read_text().startswith("<?xml")
    shown = output(capsys, "policy", "show", "policy.toml")
    assert "for more rows like these" in shown


def test_a_dry_run_writes_nothing(here, digits, capsys):
    words = ["policy", "tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path]
    said = output(capsys, *words, "--data", "cal.npz", "--dry-run", "--max-loss", "2%")
    assert "nothing, as --dry-run says" in said
    assert not (here / "policy.toml").exists()


def test_the_promise_says_whether_it_is_for_rows_or_for_groups(here, digits, capsys):
    x, y = digits.x, digits.y
    np.savez("few.npz", x=x[:220], y=y[:220], group=np.arange(220) % 22)
    np.savez("many.npz", x=x, y=y, groups=np.array([f"patient {at}" for at in range(360)]))
    words = ["tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--dry-run", "--data"]
    few = " ".join(output(capsys, *words, "few.npz", "--max-loss", "1%").split())
    assert "22 groups cannot prove a loss below 9.94 %; 1 % needs at least 230" in few
    many = json.loads(output(capsys, *words, "many.npz", "--max-loss", "5%", "--json"))
    assert many["promise"]["scope"] == "groups"
    assert many["promise"]["reason"].startswith("for new groups like these, at most 5 %")


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        ("--data none.npz", 2, "none.npz does not exist"),
        ("--data cal.npz --escalate 270%", 2, "--escalate must lie in 0% to 100%, got '270%'"),
        ("--data cal.npz --escalate 27", 2, "Did you mean 27%?"),
        ("--data cal.npz --escalate many", 2, "--escalate must be a share such as 27% or 0.27, got 'many'"),
        ("--data cal.npz --max-loss 1% --escalate 27%", 2, "one target at a time"),
        ("--data cal.npz --cloud-price 0.1", 2, "prices come as a pair"),
        ("--data cal.npz --class-floor 3", 2, "--class-floor must be CLASS=SHARE, as in V=90%, got '3'"),
        ("--data cal.npz --class-floor V=90%", 2, "class_floors: 'V' is no label of"),
        (f"--data cal.npz --class-floor X=90% {NO_CLOUD}", 2, "class_floors: 'X' is no label of"),
        (f"--data cal.npz --class-floor 8=0% {NO_CLOUD}", 2, "the recall floor of class '8' must be between"),
        ("--data cal.npz --novelty-output z", 2, "no output 'z' to measure novelty on"),
        ("--data cal.npz --class-floor 8=80% --class-floor 8=90%", 2, "--class-floor names '8' twice"),
        (
            f"--data cal.npz --out none/p.toml {NO_CLOUD}",
            2,
            "none/p.toml cannot be written: there is no folder",
        ),
        (
            f"--data cal.npz --plot none/c.png {NO_CLOUD}",
            2,
            "none/c.png cannot be written: there is no folder",
        ),
        ("--data cal.npz --budget 5", 2, "--budget must lie in 0% to 100%, got '5'. Did you mean 5%?"),
        (
            "--data cal.npz --budget few/min",
            2,
            "--budget must be a share such as 5% or a rate such as 60/min",
        ),
        ("--data cal.npz --budget=-3/min", 2, "budget.per_minute must be"),
        ("--data nan_y.npz", 2, "y holds NaN in 1 row, the first at 7"),
        ("--data cal.npz --plot curve.pdf", 2, "a picture is written as .png or .svg"),
        ("--data cal.npz --test unlabelled.npz", 2, "unlabelled.npz has no labels"),
        ("--data cal.npz --policy none.toml", 2, "none.toml does not exist"),
        ("--data cal.npz --timeout-s 0", 2, "--timeout-s must be above 0"),
        ("--data pickled.npz", 2, "holds Python objects in 'y'"),
        ("--data norows.npz", 2, "holds no rows"),
        ("--data both.npz", 2, "holds both y and labels; keep one of them"),
        ("--data short.npz", 2, "y must have one value for each of the 240 rows, got 239"),
        ("--data nan.npz", 2, "[HAL-303]"),
        ("--data cal.npz --edge cal.npz", 2, "[HAL-201]"),
        (f"--data cal.npz {NO_CLOUD}", 4, "[HAL-404]"),
    ],
)
def test_a_failure_is_one_line_with_the_likely_fix(words, exit_code, says, here, digits, capsys):
    x, y = digits.x[:TUNE_ROWS], digits.y[:TUNE_ROWS]
    np.savez("unlabelled.npz", x=x)
    np.savez("pickled.npz", x=x, y=np.array([str(each) for each in y], dtype=object))
    np.savez("norows.npz", y=y)
    np.savez("nan_y.npz", x=x, y=np.where(np.arange(len(y)) == 7, np.nan, y))
    np.savez("both.npz", x=x, y=y, labels=y)
    np.savez("short.npz", x=x, y=y[1:])
    np.savez("nan.npz", x=np.where(x == x[3, 10], np.nan, x).astype(np.float32), y=y)
    given = words.split()
    for flag, path in (("--edge", digits.edge_path), ("--cloud", digits.cloud_path)):
        given += [] if flag in given else [flag, str(path)]
    assert main(["tune", *given]) == exit_code
    printed = capsys.readouterr()
    assert not printed.out
    assert says in printed.err
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert not (here / "policy.toml").exists()


def test_a_policy_of_another_model_is_refused(here, digits, capsys):
    run(capsys, "tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--data", "cal.npz")
    words = ["evaluate", "--edge", digits.cloud_path, "--cloud", digits.cloud_path, "--data", "test.npz"]
    assert main([str(word) for word in [*words, "--policy", "policy.toml"]]) == 2
    assert "[HAL-207]" in capsys.readouterr().err


def test_test_rows_that_were_tuned_on_are_pointed_out(here, digits, capsys):
    np.savez("all.npz", x=digits.x, y=digits.y)
    words = ["tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--data", "cal.npz"]
    assert "240 rows are in both cal.npz and all.npz" in output(capsys, *words, "--test", "all.npz")
    assert "rows are in both" not in output(capsys, *words, "--test", "test.npz")


def test_a_threshold_close_to_1_is_told_apart_from_it():
    assert [threshold(each) for each in (0.75, 1 - 2.5e-9, 1.0)] == ["0.75", "1 - 2.5e-09", "1"]


def test_a_server_that_takes_fewer_rows_is_asked_with_fewer(here, digits, capsys):
    with serving(f"cloud={digits.cloud_path}", max_rows=100) as server:
        words = ["tune", "--edge", str(digits.edge_path), "--cloud", f"{server.url}/v2/models/cloud"]
        assert main([*words, "--data", "cal.npz"]) in (2, 3)
        said = capsys.readouterr().err
        assert "status 413" in said
        assert "--batch-rows" in said
        assert "240 rows asked in 3 calls" in output(
            capsys, *words, "--data", "cal.npz", "--batch-rows", "100"
        )


def test_misnamed_labels_are_said_not_to_be_read(here, digits, capsys):
    np.savez("target.npz", x=digits.x[:TUNE_ROWS], target=digits.y[:TUNE_ROWS])
    words = ["tune", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--data", "target.npz"]
    said = output(capsys, *words)
    assert "- target.npz also holds target, which is not read" in said
    assert "without labels: the cloud's answers are the truth" in said


def test_a_policy_changed_by_hand_is_said_to_be_where_it_is_measured(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    run(capsys, "tune", *models, "--data", "cal.npz", "--max-loss", "2%")
    path = here / "policy.toml"
    path.write_text(path.read_text().replace("threshold = 0.", "threshold = 0.1", 1))
    said = output(capsys, "evaluate", *models, "--policy", "policy.toml", "--data", "test.npz")
    assert "promise     no promise any more: it was changed since it was tuned" in said


def test_a_diff_for_people_shows_the_heads_of_digests(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    run(capsys, "tune", *models, "--data", "cal.npz", "--max-loss", "2%")
    run(capsys, "tune", *models, "--data", "test.npz", "--max-loss", "5%", "--out", "other.toml")
    words = ["policy", "diff", "policy.toml", "other.toml"]
    (line,) = [line for line in output(capsys, *words).splitlines() if "data_digest" in line]
    assert len(line) < 80
    whole = json.loads(output(capsys, *words, "--json"))["changes"]
    assert max(map(len, whole)) > 150


def test_a_budget_and_what_a_device_may_learn_are_shown(here, digits, capsys):
    models = ["--edge", digits.edge_path, "--cloud", digits.cloud_path]
    said = output(capsys, "tune", *models, "--data", "cal.npz", "--max-loss", "2%", "--budget", "1%")
    assert "at most 1.0 % go up" in " ".join(said.split())
    assert "no promise covers them" in " ".join(said.split())
    path = here / "policy.toml"
    assert "[policy.budget]\nshare = 0.01" in path.read_text()
    path.write_text(path.read_text() + "\n[policy.personal]\nmax_loss = 0.02\n")
    shown = output(capsys, "policy", "show", "policy.toml")
    assert "for more rows like these" in shown
    assert "once the device has proven that it loses at most 2.0 %" in " ".join(shown.split())
    told = json.loads(output(capsys, "policy", "show", "policy.toml", "--json"))["policy"]
    assert (told["budget"]["share"], told["personal"]["max_loss"]) == (0.01, 0.02)
    run(
        capsys,
        "tune",
        *models,
        "--data",
        "cal.npz",
        "--max-loss",
        "2%",
        "--budget",
        "60/min",
        "--out",
        "m.toml",
    )
    seen = output(capsys, "evaluate", *models, "--data", "test.npz", "--policy", "m.toml")
    assert "(requests_per_s=, --requests-per-s)" in " ".join(seen.split())
    words = ["--data", "test.npz", "--policy", "m.toml", "--requests-per-s", "1000", "--json"]
    told = json.loads(output(capsys, "evaluate", *models, *words))
    assert told["kept_by_budget"] == 0
