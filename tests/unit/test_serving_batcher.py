"""Requests are run together where that helps, each gets its own rows back, and each fails alone."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from halocline.errors import Misconfigured, Rejected
from halocline.ports import Feed
from halocline.records import Array, ModelRef, ModelSpec, TensorSpec
from halocline.serving.batcher import Batcher
from halocline.serving.meters import Meter
from halocline.serving.table import ModelTable
from halocline.serving.warmup import RunCost, warm_up


class Doubler:
    """Gives twice its input, remembers how many rows each run had, and fails on a row that holds 13."""

    def __init__(self, shape: tuple[int, ...] = (-1, 2), *, takes_s: float = 0.0) -> None:
        self.spec = ModelSpec(
            ModelRef("doubler", "1"),
            (TensorSpec("x", "float32", shape),),
            (TensorSpec("y", "float32", shape),),
        )
        self.runs: list[int] = []
        self.threads: set[int] = set()
        self._takes_s = takes_s

    def conform(self, sample: Array | Feed) -> dict[str, Array]:
        assert isinstance(sample, np.ndarray)
        return {"x": sample}

    def conform_batch(self, batch: Array | Feed) -> dict[str, Array]:
        assert not isinstance(batch, np.ndarray)
        return dict(batch)

    def run(self, feed: Feed) -> Sequence[Array]:
        self.runs.append(len(feed["x"]))
        self.threads.add(threading.get_ident())
        if self._takes_s:
            time.sleep(self._takes_s)
        if (feed["x"] == 13).any():
            raise RuntimeError("unlucky")
        return [feed["x"] * 2]


QUICK = RunCost(1e-6, 2e-6, 64)
SLOW = RunCost(0.005, 0.005, 64)


def with_batcher(
    model: Doubler,
    scenario: Callable[[Batcher], Awaitable[None]],
    *,
    cost: RunCost = QUICK,
    max_batch: int = 64,
    max_delay_s: float = 0.0,
) -> Meter:
    meter = Meter()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            await scenario(
                Batcher(
                    model,
                    cost=cost,
                    max_batch=max_batch,
                    max_delay_s=max_delay_s,
                    meter=meter,
                    executor=executor,
                )
            )

    asyncio.run(main())
    return meter


def rows(*values: float) -> dict[str, Array]:
    return {"x": np.array([[value, value] for value in values], np.float32)}


@pytest.mark.parametrize("cost", [QUICK, SLOW])
def test_what_waits_is_run_together_and_each_gets_its_own_rows(cost: RunCost) -> None:
    model = Doubler()

    async def scenario(batcher: Batcher) -> None:
        answers = await asyncio.gather(
            batcher.submit(rows(1), 1), batcher.submit(rows(2, 3), 2), batcher.submit(rows(4), 1)
        )
        assert [answer[0][:, 0].tolist() for answer in answers] == [[2.0], [4.0, 6.0], [8.0]]

    meter = with_batcher(model, scenario, cost=cost)
    assert model.runs == [4]
    assert meter.batch_rows.total == 4
    assert meter.run.counts == [1, *[0] * (len(meter.run.counts) - 1)]


def test_a_short_run_stays_on_the_loop_and_a_long_one_leaves_it_free() -> None:
    async def scenario(batcher: Batcher) -> None:
        await batcher.submit(rows(1), 1)

    quick, slow = Doubler(), Doubler()
    with_batcher(quick, scenario, cost=QUICK)
    with_batcher(slow, scenario, cost=SLOW)
    assert quick.threads == {threading.get_ident()}
    assert threading.get_ident() not in slow.threads


def test_no_run_is_larger_than_the_limit_and_none_is_lost() -> None:
    model = Doubler()

    async def scenario(batcher: Batcher) -> None:
        answers = await asyncio.gather(*[batcher.submit(rows(at), 1) for at in range(20, 40)])
        assert [answer[0][0, 0] for answer in answers] == [2.0 * at for at in range(20, 40)]

    with_batcher(model, scenario, max_batch=8)
    assert model.runs == [8, 8, 4]


def test_a_request_above_the_batch_limit_runs_alone() -> None:
    model = Doubler()

    async def scenario(batcher: Batcher) -> None:
        await asyncio.gather(batcher.submit(rows(1), 1), batcher.submit(rows(*range(2, 8)), 6))

    with_batcher(model, scenario, max_batch=4)
    assert model.runs == [1, 6]


def test_where_larger_batches_gain_little_they_are_cut_to_be_short() -> None:
    linear, flat = RunCost(0.0002, 0.0128, 64), RunCost(0.0002, 0.0021, 64)

    async def scenario(batcher: Batcher) -> None:
        await asyncio.gather(*[batcher.submit(rows(at), 1) for at in range(20, 40)])

    for cost, runs in ((linear, [5, 5, 5, 5]), (flat, [20])):
        model = Doubler()
        with_batcher(model, scenario, cost=cost)
        assert model.runs == runs


def test_requests_gather_while_the_model_is_busy() -> None:
    model = Doubler(takes_s=0.05)

    async def scenario(batcher: Batcher) -> None:
        first = batcher.submit(rows(1), 1)
        await asyncio.sleep(0.02)
        others = [batcher.submit(rows(2), 1) for _ in range(5)]
        assert len(batcher) == 5
        await asyncio.gather(first, *others)

    with_batcher(model, scenario, cost=SLOW)
    assert model.runs == [1, 5]


def test_a_delay_gathers_and_a_full_batch_ends_it() -> None:
    model = Doubler()

    async def scenario(batcher: Batcher) -> None:
        started_s = time.monotonic()
        futures = [batcher.submit(rows(1), 1)]
        await asyncio.sleep(0.01)
        futures.append(batcher.submit(rows(2), 1))
        await asyncio.gather(*futures)
        assert time.monotonic() - started_s >= 0.3
        started_s = time.monotonic()
        await asyncio.gather(*[batcher.submit(rows(1), 1) for _ in range(4)])
        assert time.monotonic() - started_s < 0.3

    with_batcher(model, scenario, max_batch=4, max_delay_s=0.3)
    assert model.runs == [2, 4]


@pytest.mark.parametrize("cost", [QUICK, SLOW])
def test_a_request_that_the_model_fails_on_fails_alone(cost: RunCost) -> None:
    async def scenario(batcher: Batcher) -> None:
        answers = await asyncio.gather(
            *[batcher.submit(rows(value), 1) for value in (1, 13, 2)], return_exceptions=True
        )
        assert isinstance(answers[1], RuntimeError)
        assert [answer[0][0, 0] for answer in (answers[0], answers[2])] == [2.0, 4.0]  # type: ignore[index]

    with_batcher(Doubler(), scenario, cost=cost)


def test_rows_of_other_shapes_run_apart() -> None:
    model = Doubler((-1, -1))

    async def scenario(batcher: Batcher) -> None:
        wide = {"x": np.ones((1, 3), np.float32)}
        answers = await asyncio.gather(
            *[batcher.submit(feed, 1) for feed in (rows(1), rows(2), wide, rows(3))]
        )
        assert [answer[0].shape for answer in answers] == [(1, 2), (1, 2), (1, 3), (1, 2)]

    with_batcher(model, scenario)
    assert model.runs == [2, 1, 1]


def test_a_caller_that_gave_up_spoils_nothing() -> None:
    async def scenario(batcher: Batcher) -> None:
        gone, kept = batcher.submit(rows(1), 1), batcher.submit(rows(2), 1)
        gone.cancel()
        assert (await kept)[0][0, 0] == 4.0

    with_batcher(Doubler(), scenario)


def test_the_warm_up_finds_out_whether_rows_may_be_put_together() -> None:
    class Summary(Doubler):
        def run(self, feed: Feed) -> Sequence[Array]:
            return [feed["x"].sum(axis=0, keepdims=True)]

    assert warm_up(Doubler(), 8).max_rows == 8
    assert warm_up(Summary(), 8).max_rows == 1
    assert warm_up(Doubler((4, 2)), 8).max_rows == 1


def test_a_model_that_fails_its_warm_up_is_not_served() -> None:
    class Broken(Doubler):
        def run(self, feed: Feed) -> Sequence[Array]:
            raise RuntimeError("no\nkernel")

    with pytest.raises(Misconfigured, match=r"doubler@1 fails its warm-up run: no kernel"):
        ModelTable([Broken()])


def test_axes_of_unknown_size_are_tried_until_a_run_passes() -> None:
    class AtLeastEight(Doubler):
        def run(self, feed: Feed) -> Sequence[Array]:
            assert feed["x"].shape[1] >= 8
            return super().run(feed)

    assert warm_up(AtLeastEight((-1, -1)), 8).max_rows == 8


class Version(Doubler):
    def __init__(self, name: str, version: str) -> None:
        super().__init__()
        self.spec = ModelSpec(ModelRef(name, version), self.spec.inputs, self.spec.outputs)


def test_a_request_without_a_version_reaches_the_latest() -> None:
    with ModelTable([Version("a", "9"), Version("a", "10"), Version("b", "1")]) as table:
        assert str(table.find("a").ref) == "a@10"
        assert str(table.find("a", "9").ref) == "a@9"
        assert table.versions("a") == ["10", "9"]
        assert table.names == ["a", "b"]


def test_what_is_not_served_is_named_beside_what_is() -> None:
    with ModelTable([Version("a", "9"), Version("b", "1")]) as table:
        with pytest.raises(Rejected, match="no model 'c' here; there is a, b"):
            table.find("c")
        with pytest.raises(Rejected, match="no version '8' of a here; there is 9"):
            table.find("a", "8")


def test_two_models_of_one_name_and_version_are_refused() -> None:
    with pytest.raises(Misconfigured, match="HAL-206"):
        ModelTable([Version("a", "1"), Version("a", "1")])


def test_more_rows_than_the_limit_are_refused() -> None:
    with ModelTable([Doubler()], max_rows=2) as table:
        served = table.find("doubler")
        assert served.conform(rows(1, 2))[1] == 2
        with pytest.raises(Rejected, match="3 rows, the limit is 2"):
            served.conform(rows(1, 2, 3))
