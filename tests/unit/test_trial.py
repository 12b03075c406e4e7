"""A trial chooses on one half and shows the other, and its figures are those of a count by hand."""

import json
import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from tuning_parts import LABELS, Cloud, EdgeModel, rows, table

import halocline as hc
from halocline.cli.output import print_json
from halocline.errors import Misconfigured, Rejected

X, TRUTH, ANSWERS = rows(3000, seed=5)


def tried(x=X, y=TRUTH, groups=None, cloud=None, **options):
    options = {"cache": False, **options}
    return hc.try_(EdgeModel(), cloud or Cloud(table(X, ANSWERS)), x, y, groups, **options)


@pytest.fixture(scope="module")
def trial():
    return tried()


def test_every_figure_is_a_count_on_the_half_that_did_not_choose(trial):
    from halocline.trial.split import choosing_half

    rest = ~choosing_half({"x": X}, None, 0)
    edge, cloud = X[rest].argmax(axis=1), ANSWERS[rest].argmax(axis=1)
    policy = trial.tuned.policy
    up = trial.escalated.value
    assert trial.data.rows_shown_on == rest.sum()
    assert trial.tuned.rows == (~rest).sum()
    assert trial.edge_alone.accuracy.value == pytest.approx((edge == TRUTH[rest]).mean())
    assert trial.cloud_alone.accuracy.value == pytest.approx((cloud == TRUTH[rest]).mean())
    sure = np.exp(np.log(X[rest]) / policy.temperature)
    goes = (sure.max(axis=1) / sure.sum(axis=1)) < policy.threshold
    assert up == pytest.approx(goes.mean())
    both = np.where(goes, cloud, edge) == TRUTH[rest]
    assert trial.tiered.accuracy.value == pytest.approx(both.mean())
    assert trial.gain.value == pytest.approx(both.mean() - (cloud == TRUTH[rest]).mean())
    assert trial.tiered.month.cloud_calls == pytest.approx(30_000 * up)
    assert trial.cloud_alone.month.cloud_calls == 30_000
    assert trial.tiered.month.usd == pytest.approx(up * trial.cloud_alone.month.usd)
    assert trial.edge_alone.month.usd == trial.edge_alone.month.bytes_up == 0


def test_times_add_up_as_the_page_says(trial):
    times = trial.times
    call_s = (
        times.cloud.latency.p50_s + times.link.round_trip_s + trial.up_bytes * 8 / times.link.up_bits_per_s
    )
    assert trial.cloud_alone.typical_s == pytest.approx(call_s)
    assert trial.tiered.slowest_s == pytest.approx(times.edge_s.p50_s + call_s)
    assert trial.tiered.typical_s == pytest.approx(times.edge_s.p50_s + trial.escalated.value * call_s)


def test_trying_again_asks_the_cloud_nothing(tmp_path):
    cloud = Cloud(table(X, ANSWERS))
    first = tried(cloud=cloud, cache=tmp_path)
    asked = len(cloud.rows)
    again = tried(cloud=cloud, cache=tmp_path, escalate="27%", link="wifi")
    assert asked == len(cloud.rows) > 0
    assert again.times.cloud == first.times.cloud
    assert again.asked.calls == 0


def test_without_labels_the_cloud_is_the_truth_and_that_is_said():
    found = tried(y=None)
    assert not found.data.has_labels
    assert found.cloud_alone.accuracy.value == 1
    assert all(sample.truth is None for sample in found.samples)
    assert "no labels" in found.html()
    assert "by definition" in found.html()


def test_groups_are_parted_whole_and_counted():
    groups = np.arange(len(X)) % 40
    found = tried(groups=groups)
    assert (found.data.groups, found.data.groups_chosen_on, found.data.groups_shown_on) == (40, 20, 20)
    assert "20" in found.html()
    assert found.evaluation.groups == 20


def test_one_group_is_said_to_tell_nothing_of_others():
    assert any("another group may look different" in line for line in tried(groups=np.zeros(len(X))).warnings)


def test_twenty_rows_decide_nothing():
    found = tried(X[:20], TRUTH[:20])
    assert found.verdict.answer == "unclear"
    assert found.html()


def test_too_few_rows_to_part_are_refused():
    with pytest.raises(Rejected, match="3 rows cannot be parted in two"):
        tried(X[:3], TRUTH[:3])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"link": "pigeon"}, "link must be one of lte, wifi, 1mbit"),
        ({"show": "smell"}, "show must be one of"),
        ({"calls_per_day": 0}, "calls_per_day must be a whole number above 0"),
        ({"max_loss": 2.0}, "max_loss must be between 0 and 1"),
        ({"max_loss": 0.1, "escalate": 0.1}, "one target at a time"),
    ],
)
def test_a_wrong_option_is_refused_before_the_cloud_is_asked(options, says):
    cloud = Cloud(table(X, ANSWERS))
    with pytest.raises(Misconfigured, match=re.escape(says)):
        tried(cloud=cloud, **options)
    assert not cloud.rows


class Reader(HTMLParser):
    """Reads the figures of a page, and the text that holds none of them."""

    SKIPPED = ("script", "style", "data", "pre", "title", "code")

    def __init__(self):
        super().__init__()
        self.figures, self.words, self.links, self._inside = [], [], [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "data":
            self.figures.append(float(named["value"]))
        self.links += [named[name] for name in ("src", "href", "srcset", "action") if name in named]
        if tag not in ("meta", "link", "img", "br", "path", "circle"):
            self._inside.append("tick" if named.get("class") == "tick" else tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "circle"):
            self._inside.pop()

    def handle_data(self, data):
        if not {*self.SKIPPED, "tick"} & set(self._inside):
            self.words.append(data)


def numbers_of(value):
    if isinstance(value, dict):
        return {number for each in value.values() for number in numbers_of(each)}
    if isinstance(value, list):
        return {number for each in value for number in numbers_of(each)}
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


@pytest.mark.parametrize("options", [{}, {"y": None}, {"groups": np.arange(3000) % 30}, {"escalate": 0.3}])
def test_every_number_on_the_page_is_in_the_json(options, capsys):
    found = tried(**options)
    print_json(found.as_dict())
    text = capsys.readouterr().out
    known = numbers_of(json.loads(text))
    page = Reader()
    page.feed(found.html())
    assert len(page.figures) > 50
    assert not [figure for figure in page.figures if figure not in known]
    stated = {"95", "99", "30", "2"}  # 95 % intervals, the 99th percentile, 30 days, the protocol
    loose = set(re.findall(r"\d[\d.,]*", " ".join(page.words)))
    assert not [each for each in loose if each.rstrip(".,") not in stated and each.rstrip(".,") not in text]


def test_the_page_names_nothing_outside_itself(trial):
    page = Reader()
    page.feed(trial.html())
    assert not [link for link in page.links if not link.startswith("data:")]
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttp", trial.html())


def test_names_from_a_file_cannot_write_into_the_page():
    bad = "<img src=x onerror=alert(1)>"
    edge = EdgeModel(labels=(bad, *LABELS[1:]))
    cloud = Cloud(table(X, ANSWERS), labels=(bad, *LABELS[1:]))
    names = [f"<script>{at}</script>" for at in range(len(X))]
    html = hc.try_(edge, cloud, X, TRUTH, cache=False, names=names).html()
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html
    assert html.count("<script>") == 1


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(trial):
    shown = trial._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "<main>" not in shown


def test_a_page_that_cannot_be_written_says_where(trial, tmp_path):
    assert trial.save_html(tmp_path / "page.html").read_text().startswith("<!doctype html>")
    with pytest.raises(Misconfigured, match=r"nowhere/page\.html cannot be written"):
        trial.save_html(tmp_path / "nowhere" / "page.html")


def test_the_same_rows_and_seed_give_the_same_trial_and_another_seed_another(trial):
    def figures(found):
        return msgspec.json.encode([found.tiered.accuracy, found.escalated, found.gain, found.verdict.told])

    assert figures(tried()) == figures(trial)
    assert figures(tried(seed=1)) != figures(trial)
