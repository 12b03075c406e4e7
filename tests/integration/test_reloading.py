"""Settings change under models that answer: all or none, at once, and no request is dropped."""

import threading
import time

import numpy as np
import pytest

import halocline as hc
from halocline.edge.reloading import DeviceModels, ReloadableTiers, merged
from halocline.fleet import ModelSettings, Settings
from halocline.records import Owner

DATA = hc.samples.digits()


class Made:
    """Makes tiers, and remembers them."""

    def __init__(self, fails: str = "") -> None:
        self.edge = hc.load(DATA.edge_path)
        self.cloud = hc.load(DATA.cloud_path)
        self.fails = fails
        self.all: list[hc.Tiered] = []

    def __call__(self, wanted: ModelSettings) -> hc.Tiered:
        if self.fails and wanted.threshold is not None:
            raise hc.Misconfigured("HAL-101", self.fails)
        said = merged(ModelSettings(threshold=0.5, deadline_s=2.0), wanted)
        assert said.deadline_s is not None
        tiered = hc.Tiered(
            self.edge,
            self.cloud,
            threshold=said.threshold,
            deadline_s=said.deadline_s,
            owner=None if wanted.threshold is None else Owner.TWIN,
        )
        self.all.append(tiered)
        return tiered


def ask(tiers: ReloadableTiers, made: Made, row: int = 0) -> hc.Reply:
    feed = made.edge.conform_batch(DATA.x[row : row + 1])
    (reply,) = tiers.answer(feed, made.edge.run(feed), samples=None, began_s=time.perf_counter(), edge_s=0.0)
    return reply


def test_a_threshold_that_the_hub_sets_decides_the_next_request_and_says_whose_it_is() -> None:
    made = Made()
    tiers = ReloadableTiers(made)
    models = DeviceModels(["m"], {"m": tiers})
    assert tiers.in_force == ModelSettings(threshold=0.5, deadline_s=2.0)
    before = ask(tiers, made)
    assert models.apply(Settings(models={"m": ModelSettings(threshold=1.0)})) == ""
    after = ask(tiers, made)
    assert (before.policy, after.policy) == (Owner.CODE, Owner.TWIN)
    assert models.effective() == {"m": ModelSettings(threshold=1.0, deadline_s=2.0)}
    assert models.apply(Settings()) == ""
    assert models.effective() == {"m": ModelSettings(threshold=0.5, deadline_s=2.0)}
    models.close()


def test_where_one_model_cannot_be_changed_none_is() -> None:
    good, bad = Made(), Made(fails="on purpose")
    models = DeviceModels(["a", "b"], {"a": ReloadableTiers(good), "b": ReloadableTiers(bad)})
    wanted = ModelSettings(threshold=0.9)
    reason = models.apply(Settings(models={"a": wanted, "b": wanted}))
    assert "on purpose" in reason
    assert {name: each.threshold for name, each in models.effective().items()} == {"a": 0.5, "b": 0.5}
    models.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(models={"x": ModelSettings(threshold=0.5)}), "no model 'x'"),
        (Settings(models={"m": ModelSettings(threshold=7.0)}), "threshold must be in"),
        (Settings(models={"alone": ModelSettings(threshold=0.5)}), "answers on the device alone"),
    ],
)
def test_what_cannot_be_set_is_refused_with_its_reason_and_changes_nothing(
    settings: Settings, words: str
) -> None:
    models = DeviceModels(["m", "alone"], {"m": ReloadableTiers(Made())})
    assert words in models.apply(settings)
    assert models.effective() == {"m": ModelSettings(threshold=0.5, deadline_s=2.0), "alone": ModelSettings()}
    models.close()


def test_the_same_settings_again_exchange_nothing_and_a_renewal_only_the_certificate() -> None:
    made = Made()
    renewed: list[str] = []
    tiers = ReloadableTiers(made, renew=lambda: renewed.append("m"))
    models = DeviceModels(["m"], {"m": tiers})
    wanted = Settings(models={"m": ModelSettings(threshold=0.9)})
    assert models.apply(wanted) == models.apply(wanted) == ""
    assert len(made.all) == 2
    models.renewed()
    assert renewed == ["m"]
    assert len(made.all) == 2
    assert models.effective()["m"].threshold == 0.9
    models.close()


def test_no_request_is_dropped_while_settings_change_and_no_thread_is_left() -> None:
    threads = set(threading.enumerate())
    made = Made()
    tiers = ReloadableTiers(made)
    models = DeviceModels(["m"], {"m": tiers})
    stop, errors, answered = threading.Event(), [], [0]

    def work() -> None:
        row = 0
        while not stop.is_set():
            try:
                reply = ask(tiers, made, row % 100)
                assert np.isfinite(reply.confidence)
                assert not reply.degraded, reply.reason
                answered[0] += 1
            except Exception as error:
                errors.append(error)
                return
            row += 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for at in range(30):
        assert models.apply(Settings(models={"m": ModelSettings(threshold=at / 30)})) == ""
    stop.set()
    for worker in workers:
        worker.join()
    models.close()
    assert errors == []
    assert answered[0] > 0
    assert set(threading.enumerate()) <= threads
