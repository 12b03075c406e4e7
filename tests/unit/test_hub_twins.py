"""What is desired of a device is merged, checked and told once."""

import pytest

from halocline.errors import Rejected
from halocline.fleet import ModelSettings, Reported, Settings
from halocline.hub.twins import check, etag, is_known, merged, report
from halocline.testing.memory_store import MemoryStore


def settings(**models: ModelSettings) -> Settings:
    return Settings(models=models)


def test_a_change_leaves_what_it_does_not_name():
    before = Settings(models={"a": ModelSettings(threshold=0.5, deadline_s=1.0)}, poll_s=60.0)
    after = merged(before, settings(a=ModelSettings(threshold=0.9), b=ModelSettings(deadline_s=2.0)))
    assert after == Settings(
        models={"a": ModelSettings(threshold=0.9, deadline_s=1.0), "b": ModelSettings(deadline_s=2.0)},
        poll_s=60.0,
    )


def test_the_same_change_twice_changes_nothing_more():
    change = Settings(models={"a": ModelSettings(threshold=0.9)}, poll_s=5.0)
    once = merged(Settings(), change)
    assert merged(once, change) == once


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (settings(a=ModelSettings(threshold=80)), "Did you mean 0.8?"),
        (settings(a=ModelSettings(threshold=-0.1)), "[0, 1]"),
        (settings(a=ModelSettings(threshold=float("nan"))), "[0, 1]"),
        (settings(a=ModelSettings(deadline_s=0)), "deadline_s"),
        (settings(a=ModelSettings(deadline_s=float("inf"))), "deadline_s"),
        (Settings(poll_s=0.1), "poll_s"),
        (Settings(models={"../a": ModelSettings()}), "'../a'"),
        (Settings(models={f"m{n}": ModelSettings() for n in range(100)}), "100 models"),
    ],
)
def test_a_value_that_no_device_can_use_is_refused(wrong, said):
    with pytest.raises(Rejected) as caught:
        check(wrong)
    assert said in caught.value.message


def test_a_generation_that_the_device_has_is_not_told_again():
    assert is_known(7, etag(7))
    assert is_known(7, '"3", W/"7"')
    assert not is_known(7, etag(6))
    assert not is_known(7, "")


@pytest.mark.parametrize("wrong", [{"boot": -1}, {"boot": 2**31}, {"generation": -1}, {"generation": 2**63}])
def test_a_report_with_a_number_that_no_database_holds_is_refused(wrong):
    with pytest.raises(Rejected, match=r"in \[0, 2147483647\], got"):
        report(MemoryStore(), "dev-" + "a" * 16, Reported(**wrong), now_s=1.0)
