"""halocline try with real models, a real server, and its page in a real browser."""

import json
import re
import time

import numpy as np
import pytest
from browsers import opened_browser, quiet_page, unfold
from commands import output, run
from servers import serving

import halocline as hc
from halocline.cli import main
from halocline.testing.link import ThrottledLink


@pytest.fixture(scope="module")
def digits():
    return hc.samples.digits()


@pytest.fixture
def here(digits, tmp_path, monkeypatch):
    """A folder with rows.npz and unlabelled.npz, and a cache of this test's own."""
    monkeypatch.chdir(tmp_path)
    np.savez("rows.npz", x=digits.x, y=digits.y)
    np.savez("unlabelled.npz", x=digits.x)
    monkeypatch.setenv("HALOCLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def words_for(digits, data="rows.npz"):
    return ["try", "--edge", digits.edge_path, "--cloud", digits.cloud_path, "--data", data]


def test_one_command_gives_a_verdict_a_page_and_the_next_commands(here, digits, capsys):
    said = output(capsys, *words_for(digits), "--max-loss", "2%", "--show", "picture")
    page = (here / "try.html").read_text(encoding="utf-8")
    assert " ".join(said.split()).startswith("tiered Tiered pays: ")
    assert "halocline tune --edge" in said
    assert "data:image/png;base64," in page
    typed = "--max-loss 2% --link lte --calls-per-day 1000 --show picture --out try.html"
    assert typed in re.sub("<[^>]+>", "", page)


def test_the_command_on_the_page_repeats_it(here, digits, capsys):
    import shlex

    words = [*words_for(digits), "--escalate", "10%", "--seed", "3", "--out", "page.html", "--json"]
    told = json.loads(output(capsys, *words))
    again = shlex.split(told["commands"]["repeat"])
    assert again[:2] == ["halocline", "try"]
    repeated = json.loads(output(capsys, *again[1:], "--json"))
    assert repeated["verdict"] == told["verdict"]
    assert repeated["curve"] == told["curve"]
    assert repeated["commands"] == told["commands"]


def test_the_next_commands_run(here, digits, capsys):
    import shlex

    told = json.loads(output(capsys, *words_for(digits), "--max-loss", "2%", "--json"))
    for _, line in told["commands"]["following"]:
        run(capsys, *shlex.split(line.replace("OTHER", "rows.npz"))[1:])


def test_the_second_run_is_ten_times_as_fast_and_asks_nothing(here, digits):
    with (
        serving(f"cloud={digits.cloud_path}") as server,
        ThrottledLink(server.port, delay_s=0.1) as slow,
        hc.connect(f"http://127.0.0.1:{slow.port}/v2/models/cloud") as cloud,
    ):
        edge = hc.load(digits.edge_path)
        took_s, trials = [], []
        for _ in range(2):
            began_s = time.perf_counter()
            trials.append(hc.try_(edge, cloud, digits.x, digits.y, max_loss=0.02, batch_rows=20))
            took_s.append(time.perf_counter() - began_s)
    assert trials[1].asked.calls == 0
    assert trials[0].verdict == trials[1].verdict
    assert took_s[0] > 10 * took_s[1], took_s


def test_rows_without_labels_are_tried_against_the_cloud(here, digits, capsys):
    told = json.loads(output(capsys, *words_for(digits, "unlabelled.npz"), "--json"))
    assert not told["data"]["has_labels"]
    assert told["cloud_alone"]["accuracy"]["value"] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--link", "pigeon"], "link must be one of lte, wifi, 1mbit, got 'pigeon' [HAL-340]"),
        (["--show", "smell"], "[HAL-341]"),
        (["--out", "nowhere/page.html"], "nowhere/page.html cannot be written"),
        (["--calls-per-day", "0"], "calls_per_day must be a whole number above 0"),
        (["--escalate", "270%"], "--escalate must lie in 0% to 100%"),
    ],
)
def test_a_wrong_flag_is_one_line(here, digits, capsys, words, says):
    assert main([str(word) for word in [*words_for(digits), *words]]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert not (here / "try.html").exists()


@pytest.fixture(scope="module")
def browser():
    with opened_browser() as opened:
        yield opened


@pytest.mark.parametrize("data", ["rows.npz", "unlabelled.npz"])
@pytest.mark.parametrize("show", ["picture", "series", "values"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_quietly_and_fits(here, digits, capsys, browser, data, show, width):
    run(capsys, *words_for(digits, data), "--escalate", "20%", "--show", show)
    with quiet_page(browser, here / "try.html", width) as page:
        page.locator("svg.chart:visible").hover()
        assert "go up" in page.locator(".tip").inner_text()
        unfold(page)


def test_the_page_is_whole_without_javascript(here, digits, capsys, browser):
    run(capsys, *words_for(digits), "--escalate", "20%")
    texts = []
    for enabled in (True, False):
        context = browser.new_context(java_script_enabled=enabled)
        page = context.new_page()
        page.goto((here / "try.html").as_uri())
        texts.append(page.locator("main").inner_text())
        context.close()
    assert texts[0] == texts[1]
    assert "What goes up" in texts[1]
