"""What the hub may set on a device, and why it may not."""

import pytest

from halocline.decide.device_settings import refusal
from halocline.fleet import ModelSettings, Settings


def settings(poll_s: float | None = None, **models: ModelSettings) -> Settings:
    return Settings(models=models, poll_s=poll_s)


@pytest.mark.parametrize(
    "wanted",
    [
        settings(),
        settings(60.0, a=ModelSettings(threshold=0.0, deadline_s=0.001)),
        settings(a=ModelSettings(threshold=1.0), b=ModelSettings(deadline_s=3600.0)),
    ],
)
def test_what_lies_in_its_range_can_be_done(wanted: Settings) -> None:
    assert refusal(wanted, ["a", "b"]) == ""


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (settings(c=ModelSettings()), "no model 'c' is served here; there is a, b"),
        (settings(a=ModelSettings(threshold=80)), "got 80. Did you mean 0.8?"),
        (settings(float("inf")), "poll_s"),
        (settings(a=ModelSettings(threshold=float("nan"))), "threshold"),
        (settings(a=ModelSettings(deadline_s=0.0)), "a: deadline_s must be in [0.001, 3600] seconds, got 0"),
        (settings(a=ModelSettings(deadline_s=1e9)), "deadline_s"),
        (settings(0.5), "poll_s must be in [1, 86400] seconds, got 0.5"),
        (settings(a=ModelSettings(threshold=0.5), b=ModelSettings(threshold=2.0)), "b: threshold"),
    ],
)
def test_what_cannot_be_done_has_its_reason(wanted: Settings, words: str) -> None:
    assert words in refusal(wanted, ["b", "a"])
