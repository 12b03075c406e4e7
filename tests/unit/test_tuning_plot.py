"""Pictures of a curve can be read: labels with units, the baselines, the chosen point, on any page."""

import numpy as np
import pytest
from tuning_parts import Cloud, EdgeModel, rows, table

from halocline.errors import Misconfigured
from halocline.tuning import tune
from halocline.tuning.plot import THEMES

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def curve():
    x, truth, answers = rows(1500)
    return tune(EdgeModel(), Cloud(table(x, answers)), x, truth, max_loss=0.02, cache=False).curve


def test_a_png_comes_twice_and_an_svg_once(curve, tmp_path):
    assert [path.name for path in curve.write(tmp_path / "a.png")] == ["a.png", "a-dark.png"]
    assert [path.name for path in curve.write(tmp_path / "a.svg")] == ["a.svg"]
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "a-dark.png").read_bytes()
    for path in (tmp_path / "a.pdf", tmp_path / "a"):
        with pytest.raises(Misconfigured, match=r"\.png or \.svg"):
            curve.write(path)
    with pytest.raises(Misconfigured, match="cannot be written"):
        curve.write(tmp_path / "none" / "a.png")


def test_the_picture_says_what_it_shows(curve):
    figure = curve.plot()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "requests that go up to the cloud (%)"
    assert axes.get_ylabel() == "accuracy (%)"
    said = "\n".join(text.get_text() for text in figure.legends[0].get_texts())
    for part in (
        "edge and cloud together",
        "cloud alone: ",
        "edge alone: ",
        "always “",
        "% right",
        "95% interval",
    ):
        assert part in said
    low, high = axes.get_ylim()
    there = curve.accuracy_there
    assert low < 100 * there.low < 100 * there.high < high
    assert low < 100 * curve.baselines.edge < 100 * curve.baselines.cloud < high


def test_without_labels_the_picture_speaks_of_agreement():
    x, _, answers = rows(300)
    curve = tune(EdgeModel(), Cloud(table(x, answers)), x, escalate=0.2, cache=False).curve
    figure = curve.plot()
    assert figure.axes[0].get_ylabel() == "agreement with the cloud (%)"
    said = "\n".join(text.get_text() for text in figure.legends[0].get_texts())
    assert "% as the cloud" in said
    assert "right" not in said


def test_a_notebook_shows_it(curve):
    assert "<svg" in curve.plot()._repr_svg_()  # what IPython looks for
    assert "thresholds" in repr(curve)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("name", THEMES)
def test_every_colour_stands_out_from_its_page(name):
    theme = THEMES[name]
    pages = ["#ffffff", "#0d1117"] if theme.page == "none" else [theme.page]
    for page in pages:
        for colour in (theme.ink, theme.together, theme.cloud, theme.edge, theme.majority):
            light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
            least = 3.0 if colour != theme.ink or theme.page == "none" else 7.0
            assert (light + 0.05) / (dark + 0.05) >= least, f"{colour} on {page}"
