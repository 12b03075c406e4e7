"""A policy at work on real models: what it sends up, who owns it, what it promises, and what voids that."""

import time

import msgspec
import numpy as np
import pytest
from tiered_parts import eventually

import halocline as hc
from halocline.decide.promise import Promise
from halocline.stats.novelty import fit_novelty
from halocline.testing import answers
from halocline.testing.faults import Fault, FaultServer
from halocline.wire.policy_file import PolicyFile, write_policy

NAME = "cloud"


@pytest.fixture(scope="module")
def digits():
    return hc.samples.digits()


@pytest.fixture(scope="module")
def edge(digits):
    return hc.load(digits.edge_path, threads=1)


@pytest.fixture(scope="module")
def big(digits):
    return hc.load(digits.cloud_path, threads=1, name=NAME, version="1")


@pytest.fixture
def server(digits, big):
    def predict(x):
        return big.run(big.conform_batch(x))[-1]

    with FaultServer(model=NAME, predict=predict, labels=digits.labels) as running:
        yield running


def promised(max_loss=0.05, **more):
    return Promise(
        scope="rows", reason="1,000 rows of last week", max_loss=max_loss, alpha=0.1, rows=1000, **more
    )


def made_for(edge, big, digits, **more):
    policy = more.pop("policy", hc.Policy(threshold=digits.threshold))
    return PolicyFile(
        policy=policy,
        promise=more.pop("promise", promised()),
        edge_digest=edge.digest,
        cloud=more.pop("cloud", "cloud@1"),
        **more,
    )


def connected(server):
    cloud = hc.connect(server.url)
    cloud.wait_ready()
    return cloud


def sure_rows(tiered, x):
    """Rows that the edge answers by itself."""
    return [row for row, reply in zip(x, tiered.infer_batch(x), strict=True) if reply.tier is hc.Tier.EDGE]


# From a file


def test_a_policy_lowered_in_code_is_void(edge, big, digits):
    file = made_for(edge, big, digits)
    lower = msgspec.structs.replace(file, policy=msgspec.structs.replace(file.policy, threshold=0.1))
    by_class = made_for(edge, big, digits, policy=hc.Policy(threshold=0.8, class_thresholds={1: 0.9}))
    by_class.policy.class_thresholds[1] = 0.0
    for changed in (lower, by_class):
        with hc.Tiered(edge, big, policy=changed) as tiered:
            told = tiered.health().promise
            assert (told.state, told.max_loss) == ("void", None)
            assert "changed since it was tuned" in told.reason


def test_a_policy_is_read_from_its_path_and_owned_by_the_file(tmp_path, edge, big, digits):
    path = tmp_path / "policy.toml"
    write_policy(path, made_for(edge, big, digits, policy=hc.Policy(threshold=0.99)))
    for given in (path, str(path)):
        with hc.Tiered(edge, big, policy=given) as tiered:
            replies = [tiered.infer(row) for row in digits.x[:40]]
            assert {reply.policy for reply in replies} == {hc.Owner.FILE}
            assert {reply.policy for reply in tiered.infer_batch(digits.x[:40])} == {"file"}
            assert all(
                (reply.tier is hc.Tier.EDGE) == (reply.reason is hc.Reason.CONFIDENT) for reply in replies
            )
            assert all(reply.confidence >= 0.99 for reply in replies if reply.tier is hc.Tier.EDGE)
            assert tiered.health().threshold == 0.99
            assert tiered.health().threshold_owner == "file"


def test_what_tune_gives_is_a_policy_with_its_promise(edge, big, digits):
    tuned = hc.tune(edge, big, digits.x[:300], digits.y[:300], max_loss=0.05, cache=False)
    with hc.Tiered(edge, big, policy=tuned) as tiered:
        assert tiered.infer(digits.x[0]).policy is hc.Owner.FILE
        assert tiered.health().threshold == tuned.policy.threshold


def test_a_threshold_in_code_and_one_of_a_request_say_so(edge, big, digits):
    with hc.Tiered(edge, big, threshold=0.5) as tiered:
        assert tiered.infer(digits.x[0]).policy is hc.Owner.CODE
        assert tiered.infer(digits.x[0], threshold=0.9).policy is hc.Owner.REQUEST
        assert [each.policy for each in tiered.infer_batch(digits.x[:3], threshold=0.9)] == ["request"] * 3
        assert tiered.health().promise.state == "none"


def test_a_policy_for_another_model_is_refused_with_what_to_do(tmp_path, edge, big, digits):
    path = tmp_path / "policy.toml"
    write_policy(path, made_for(big, big, digits))
    with pytest.raises(hc.Misconfigured, match=r"policy\.toml.*Load that model.*halocline tune") as caught:
        hc.Tiered(edge, big, policy=path)
    assert caught.value.code == "HAL-207"
    assert edge.digest[:19] in str(caught.value)
    assert big.digest[:19] in str(caught.value)


def test_the_digest_is_that_of_the_file_however_it_was_loaded(digits, edge):
    assert hc.load(digits.edge_path.read_bytes()).digest == edge.digest
    assert edge.digest.startswith("sha256:")
    assert edge.spec.digest == edge.digest


def test_where_the_edge_has_no_digest_nothing_is_promised(edge, big, digits):
    class Plain:
        spec, conform, conform_batch, run = edge.spec, edge.conform, edge.conform_batch, edge.run

    with hc.Tiered(Plain(), big, policy=made_for(edge, big, digits)) as tiered:
        assert tiered.health().promise.state == "none"
        assert "no digest" in tiered.health().promise.reason


@pytest.mark.parametrize("given", [0.8, "nowhere.toml", b"policy.toml"])
def test_what_is_no_policy_is_refused(edge, big, given):
    with pytest.raises(hc.Misconfigured) as caught:
        hc.Tiered(edge, big, policy=given)
    assert caught.value.code in ("HAL-102", "HAL-110")
    assert "\n" not in str(caught.value)


# Novelty


@pytest.fixture(scope="module")
def novelty(digits):
    return fit_novelty(digits.x, digits.y)


@pytest.fixture(scope="module")
def strange():
    return np.random.default_rng(0).random((20, 64)).astype(np.float32) * 4


def test_a_sample_unlike_everything_known_goes_up_however_sure_the_edge_is(
    edge, big, digits, novelty, strange
):
    with hc.Tiered(edge, big, policy=hc.Policy(threshold=0.0, novelty=novelty)) as tiered:
        known, new = tiered.infer_batch(digits.x), tiered.infer_batch(strange)
        one = tiered.infer(strange[0])
    assert {reply.reason for reply in new} == {hc.Reason.ESCALATED}
    assert np.mean([reply.tier is hc.Tier.CLOUD for reply in known]) < 0.12
    assert min(reply.novelty for reply in new) > novelty.cut
    assert one.novelty == pytest.approx(new[0].novelty, rel=1e-3)
    assert one.tier is hc.Tier.CLOUD


def test_one_by_one_or_in_a_batch_is_the_same_with_every_part_of_a_policy(
    edge, big, digits, novelty, strange
):
    x = np.concatenate([digits.x[:100], strange])
    policies = [
        hc.Policy(threshold=0.9, novelty=novelty),
        hc.Policy(threshold=0.9, novelty=novelty, share=0.3),
        hc.Policy(threshold=0.5, share=0.2, class_thresholds={3: 0.99}, score=hc.Score.MARGIN),
    ]
    for policy in policies:
        with hc.Tiered(edge, big, policy=policy) as single, hc.Tiered(edge, big, policy=policy) as many:
            ones, batch = [single.infer(row) for row in x], many.infer_batch(x)
        assert [each.reason for each in ones] == [each.reason for each in batch]


def test_a_new_row_that_may_not_go_up_says_budget_and_goes_before_the_unsure(
    edge, big, novelty, strange, digits
):
    policy = hc.Policy(threshold=1.0, novelty=novelty, budget=hc.EscalationBudget(per_minute=0, burst=5))
    with hc.Tiered(edge, big, policy=policy) as tiered:
        replies = tiered.infer_batch(np.concatenate([digits.x[:20], strange]))
    up = [at for at, reply in enumerate(replies) if reply.reason is hc.Reason.ESCALATED]
    assert len(up) == 5
    assert min(up) >= 20
    assert replies[20].novelty is not None
    assert {reply.reason for reply in replies} == {hc.Reason.ESCALATED, hc.Reason.BUDGET}


def test_novelty_may_be_measured_on_an_output(edge, big, digits):
    with hc.Tiered(edge, big, threshold=0.0) as tiered:
        features = np.stack([reply.outputs["probabilities"] for reply in tiered.infer_batch(digits.x)])
    novelty = fit_novelty(features[:, :-1], digits.y)
    with pytest.raises(hc.Misconfigured, match=r"9 features.*has 10"):
        hc.Tiered(
            edge, big, policy=hc.Policy(novelty=msgspec.structs.replace(novelty, output="probabilities"))
        )
    whole = fit_novelty(features, digits.y, output="probabilities")
    with hc.Tiered(edge, big, policy=hc.Policy(novelty=whole)) as tiered:
        assert tiered.infer(digits.x[0]).novelty is not None
    with pytest.raises(hc.Misconfigured, match=r"'layer7'.*probabilities"):
        hc.Tiered(edge, big, policy=hc.Policy(novelty=msgspec.structs.replace(whole, output="layer7")))


def test_without_novelty_a_reply_has_no_distance(edge, big, digits):
    with hc.Tiered(edge, big) as tiered:
        assert tiered.infer(digits.x[0]).novelty is None


# Share


def test_a_share_is_held_while_the_data_shift(edge, big, digits):
    rng = np.random.default_rng(1)
    noisy = digits.x + rng.normal(0, 0.35, digits.x.shape).astype(np.float32)
    with hc.Tiered(
        edge, big, policy=hc.Policy(threshold=digits.threshold, share=0.27), breaker=None
    ) as tiered:
        for x in (digits.x, noisy):
            replies = tiered.infer_batch(np.concatenate([x] * 8))
            assert np.mean([r.tier is hc.Tier.CLOUD for r in replies[-2000:]]) == pytest.approx(
                0.27, abs=0.05
            )
        held = tiered.health().threshold
        tiered.infer_batch(noisy, threshold=0.0)  # a request's own threshold moves nothing
        assert tiered.health().threshold == held


def test_the_share_seen_is_shown(edge, big, digits):
    share = Promise(scope="share", reason="27% go up", share=0.27)
    policy = hc.Policy(threshold=digits.threshold, share=0.27)
    with hc.Tiered(edge, big, policy=made_for(edge, big, digits, policy=policy, promise=share)) as tiered:
        assert tiered.health().promise.state == "unwatched"
        replies = [*tiered.infer_batch(digits.x[:200]), *[tiered.infer(row) for row in digits.x[:50]]]
        told = tiered.health().promise
        assert (told.state, told.share_rows) == ("held", 250)
        assert told.share == np.mean([each.reason is not hc.Reason.CONFIDENT for each in replies])


# Spot checks


def test_sure_answers_are_checked_behind_the_callers_back(edge, server, digits):
    heard = []
    spot_check = hc.SpotCheck(share=0.2, seed=1)
    with hc.Tiered(
        edge,
        connected(server),
        policy=made_for(edge, None, digits, promise=promised(0.2)),
        spot_check=spot_check,
        deadline_s=5.0,
        on_correction=heard.append,
    ) as tiered:
        replies = [tiered.infer(row) for row in digits.x] + tiered.infer_batch(digits.x)
        sure = {reply.id: reply for reply in replies if reply.reason is hc.Reason.CONFIDENT}
        eventually(lambda: len(heard) == tiered.health().spot_checks["sent"] > 0)
        assert len({each.id for each in heard}) == len(heard)
        assert {each.id for each in heard} <= set(sure)
        assert 0.1 < len(heard) / len(sure) < 0.3
        assert {each.probability for each in heard} == {0.2}
        assert all(each.replied == sure[each.id].value for each in heard)
        assert all(each.changed == (each.prediction.value != each.replied) for each in heard)
        health = tiered.health().promise
        assert health.state == "held"
        assert health.checks >= len(heard)
        assert health.low <= health.loss <= health.high
        assert server.infer_count >= len(heard)


def test_the_verdict_of_an_escalation_has_no_probability(edge, big, digits):
    with hc.Tiered(edge, big, threshold=1.0, want_async=True) as tiered:
        tiered.infer(digits.x[0])
        (correction,) = list(tiered.corrections(timeout_s=1.0))
    assert correction.probability is None


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.OK])
def test_no_fault_of_the_cloud_changes_or_delays_a_reply_that_is_checked(edge, server, digits, fault):
    with hc.Tiered(edge, connected(server), threshold=0.5, deadline_s=5.0) as plain:
        rows = sure_rows(plain, digits.x)[:60]
        expected = [plain.infer(row).value for row in rows]
    heard = []
    server.mode, server.huge_bytes = fault, 1_000_000
    with hc.Tiered(
        edge,
        connected_anyway(server),
        threshold=0.5,
        spot_check=hc.SpotCheck(share=1.0),
        on_correction=heard.append,
    ) as tiered:
        began_s = time.monotonic()
        replies = [tiered.infer(row) for row in rows]
        took_s = time.monotonic() - began_s
        assert [reply.value for reply in replies] == expected
        assert {(reply.reason, reply.degraded) for reply in replies} == {(hc.Reason.CONFIDENT, False)}
        assert took_s < 1.0
        assert len(heard) == len({each.id for each in heard}) <= len(rows)
        assert tiered.health().promise.checks <= len(heard)


def connected_anyway(server):
    """A cloud whose metadata were read before the fault began."""
    fault, server.mode = server.mode, Fault.OK
    cloud = connected(server)
    server.mode = fault
    return cloud


def test_rows_that_went_up_count_as_checks_without_a_loss(edge, big, digits):
    for more in ({}, {"want_async": True}):
        with hc.Tiered(
            edge, big, threshold=1.0, spot_check=hc.SpotCheck(share=1.0), deadline_s=5.0, **more
        ) as tiered:
            tiered.infer_batch(digits.x[:40])
            tiered.infer(digits.x[0])
            eventually(lambda tiered=tiered: tiered.health().promise.checks == 41)
            assert tiered.health().promise.loss == 0.0


def test_the_checks_of_a_batch_travel_in_one_call(edge, digits):
    calls = []

    def cloud(x):
        calls.append(len(x))
        return edge.run(edge.conform_batch(x))[-1]

    with hc.Tiered(edge, cloud, threshold=0.0, spot_check=hc.SpotCheck(share=0.5)) as tiered:
        tiered.infer_batch(digits.x)
        eventually(lambda: tiered.health().promise.checks > 100)
        assert calls == [tiered.health().spot_checks["sent"]] == [tiered.health().corrections]
        assert tiered.health().spot_checks["dropped"] == 0


def test_answers_that_only_the_budget_kept_are_checked_too(edge, digits):
    def otherwise(x):
        return np.roll(edge.run(edge.conform_batch(x))[-1], 1, axis=1)

    budget = hc.EscalationBudget(per_minute=0, burst=1)
    with hc.Tiered(
        edge, otherwise, threshold=1.0, budget=budget, spot_check=hc.SpotCheck(share=1.0), deadline_s=5.0
    ) as tiered:
        replies = tiered.infer_batch(digits.x[:40])
        assert sum(reply.reason is hc.Reason.BUDGET for reply in replies) == 39
        eventually(lambda: tiered.health().promise.checks == 40)
        assert tiered.health().promise.loss == pytest.approx(39 / 40)


def test_a_check_that_comes_late_is_counted_once(edge, server, digits):
    server.slow_s = 0.3
    heard = []
    cloud = connected(server)
    server.mode = Fault.SLOW
    with hc.Tiered(
        edge,
        cloud,
        threshold=0.0,
        spot_check=hc.SpotCheck(share=1.0),
        deadline_s=0.05,
        on_correction=heard.append,
    ) as tiered:
        replies = [tiered.infer(row) for row in digits.x[:6]]
        eventually(lambda: len(heard) == 6)
        time.sleep(0.2)
        assert sorted(each.id for each in heard) == sorted(reply.id for reply in replies)
        assert tiered.health().promise.checks == 6


def test_what_is_checked_is_what_was_answered_though_the_caller_reuses_the_array(edge, digits):
    seen = []

    def cloud(x):
        time.sleep(0.05)
        seen.append(np.array(x))
        return np.eye(10, dtype=np.float32)[np.zeros(len(x), int)]

    buffer = np.array(digits.x[0])
    with hc.Tiered(edge, cloud, threshold=0.0, spot_check=hc.SpotCheck(share=1.0)) as tiered:
        tiered.infer(buffer)
        buffer[:] = 0
        eventually(lambda: seen)
    np.testing.assert_array_equal(seen[0][0], digits.x[0])


def test_closing_ends_the_checks_and_their_thread(edge, big, digits):
    with hc.Tiered(edge, big, threshold=0.0, spot_check=hc.SpotCheck(share=1.0)) as tiered:
        tiered.infer(digits.x[0])
    thread = tiered._following.checks._thread
    eventually(lambda: not thread.is_alive())


# The promise


def test_a_changed_cloud_version_voids_the_promise_and_stops_nothing(edge, server, digits, monkeypatch):
    x = digits.x[:60]
    with hc.Tiered(
        edge,
        connected(server),
        policy=made_for(edge, None, digits, promise=promised(0.2)),
        spot_check=hc.SpotCheck(share=1.0),
        deadline_s=5.0,
    ) as tiered:
        before = tiered.infer_batch(x)
        eventually(lambda: tiered.health().promise.state == "held")
        monkeypatch.setattr(answers, "VERSION", "2")
        after = [tiered.infer(row) for row in x]
        eventually(lambda: tiered.health().promise.state == "void")
        assert "cloud@2" in tiered.health().promise.reason
        assert [each.value for each in after] == [each.value for each in before]
        assert {each.reason for each in after} <= {hc.Reason.CONFIDENT, hc.Reason.ESCALATED}


def test_an_unknown_cloud_version_voids_the_promise(edge, digits):
    def cloud(x):
        return np.full((len(x), 10), 0.1, np.float32)

    with hc.Tiered(edge, cloud, policy=made_for(edge, None, digits)) as tiered:
        assert tiered.health().promise.state == "void"
        assert "does not tell its version" in tiered.health().promise.reason
        assert tiered.infer(digits.x[0]).policy is hc.Owner.FILE


def test_a_cloud_that_is_known_by_its_bytes_needs_no_version(edge, digits):
    unnamed = hc.load(digits.cloud_path, threads=1)
    with hc.Tiered(edge, unnamed, policy=made_for(edge, None, digits, cloud_digest=unnamed.digest)) as tiered:
        assert tiered.health().promise.state == "unwatched"
    with hc.Tiered(edge, unnamed, policy=made_for(edge, None, digits, cloud_digest=edge.digest)) as tiered:
        assert tiered.health().promise.state == "void"


def test_a_cloud_that_is_not_reached_leaves_the_promise_unwatched(edge, server, digits):
    server.mode = Fault.REFUSE
    with hc.Tiered(edge, hc.connect(server.url), policy=made_for(edge, None, digits)) as tiered:
        tiered.infer(digits.x[0])
        assert tiered.health().promise.state == "unwatched"


def test_a_promise_is_suspended_while_the_link_is_down(edge, server, digits):
    with hc.Tiered(
        edge,
        connected(server),
        policy=made_for(edge, None, digits, policy=hc.Policy(threshold=0.99), promise=promised(0.2)),
        spot_check=hc.SpotCheck(share=1.0),
        deadline_s=5.0,
    ) as tiered:
        tiered.infer_batch(digits.x[:60])
        eventually(lambda: tiered.health().promise.state == "held")
        server.mode = Fault.REFUSE
        for _ in range(10):
            tiered.infer_batch(digits.x[:60])
        told = tiered.health().promise
        assert told.state == "suspended"
        assert told.rows == 660
        assert f"{told.not_covered} of the latest 660 rows could not go up" in told.reason


def test_rows_that_could_not_go_up_are_counted_in_every_mode(edge, server, digits):
    server.mode = Fault.REFUSE
    file = made_for(edge, None, digits, promise=promised(0.2))
    with hc.Tiered(edge, hc.connect(server.url), policy=file, mode="prefer_cloud") as tiered:
        tiered.infer(digits.x[0])
        tiered.infer_batch(digits.x[:9])
        told = tiered.health().promise
        assert (told.rows, told.not_covered) == (10, 10)


def test_a_broken_promise_is_seen_by_the_checks_and_service_goes_on(edge, digits):
    def otherwise(x):
        scores = np.full((len(x), 10), 0.01, np.float32)
        scores[:, 0] = 0.91
        return scores

    with hc.Tiered(
        edge,
        otherwise,
        policy=made_for(edge, None, digits, cloud="otherwise@1"),
        spot_check=hc.SpotCheck(share=1.0),
    ) as tiered:
        tiered._following.watching._promised = msgspec.structs.replace(
            tiered._following.watching._promised, same_bytes=True
        )
        for row in digits.x[:100]:
            tiered.infer(row)
        eventually(lambda: tiered.health().promise.state == "void")
        assert "the cloud differs from more than 5.00%" in tiered.health().promise.reason
        assert tiered.health().promise.low > 0.05
        assert tiered.infer(digits.x[0]) is not None


def test_a_requests_lower_threshold_voids_the_promise_and_a_higher_one_does_not(edge, big, digits):
    with hc.Tiered(edge, big, policy=made_for(edge, big, digits, cloud="cloud@1")) as tiered:
        tiered.infer(digits.x[0], threshold=0.999)
        assert tiered.health().promise.state == "unwatched"
        tiered.infer(digits.x[0], threshold=0.1)
        assert tiered.health().promise.state == "void"


def test_a_mode_without_a_cloud_voids_the_promise(edge, big, digits):
    with hc.Tiered(edge, big, policy=made_for(edge, big, digits), mode="edge_only") as tiered:
        assert tiered.health().promise.state == "void"


# A device of its own


def personal(digits, **rules):
    rules = hc.Personal(**{"max_loss": 0.1, **rules})
    return hc.Policy(threshold=digits.threshold, personal=rules)


def test_a_new_device_shows_the_fleets_promise_until_it_has_its_own(edge, big, digits):
    file = made_for(edge, big, digits, policy=personal(digits))
    with hc.Tiered(edge, big, policy=file, spot_check=hc.SpotCheck(share=1.0), deadline_s=5.0) as tiered:
        assert tiered.health().promise.whose == "fleet"
        assert tiered.infer(digits.x[0]).policy is hc.Owner.FILE
        for row in np.concatenate([digits.x] * 2):
            tiered.infer(row)
        eventually(lambda: tiered.health().promise.whose == "device")
        health = tiered.health()
        assert health.threshold_owner == "device"
        assert health.threshold < digits.threshold
        assert health.promise.max_loss == 0.1
        first = health.policy_updates[0]
        assert first.before == file.policy
        assert first.evidence.checks > 20
        assert "of this device" in first.reason
        assert tiered.infer(digits.x[0]).policy is hc.Owner.DEVICE


def test_a_device_that_starts_with_the_cloud_sends_everything_up_until_it_has_a_promise(edge, big, digits):
    file = made_for(edge, big, digits, policy=personal(digits, start="cloud"))
    with hc.Tiered(edge, big, policy=file, deadline_s=5.0, breaker=None) as tiered:
        replies = [tiered.infer(row) for row in digits.x[:15]]
        assert {reply.tier for reply in replies} == {hc.Tier.CLOUD}
        assert tiered.health().promise.state == "none"
        assert "goes up" in tiered.health().promise.reason
        later = tiered.infer_batch(digits.x) + tiered.infer_batch(digits.x)
        assert tiered.health().promise.whose == "device"
        assert hc.Tier.EDGE in {reply.tier for reply in later[-100:]}
        assert later[-1].policy is hc.Owner.DEVICE


def test_a_locked_policy_is_never_moved(edge, big, digits):
    file = made_for(edge, big, digits, policy=personal(digits, locked=True))
    with hc.Tiered(edge, big, policy=file, spot_check=hc.SpotCheck(share=1.0), deadline_s=5.0) as tiered:
        for row in digits.x:
            tiered.infer(row)
        eventually(lambda: tiered.health().policy_updates)
        health = tiered.health()
        assert health.threshold == digits.threshold
        assert health.promise.whose == "fleet"
        assert "proposed only" in health.policy_updates[-1].reason


@pytest.mark.parametrize("highest", [None, 1.0])
def test_a_device_that_breaks_its_own_promise_goes_back_to_the_fleets_or_sends_more_up(
    edge, big, digits, highest
):
    trouble = []

    def cloud(x):
        scores = big.run(big.conform_batch(x))[-1]
        return np.roll(scores, 1, axis=1) if trouble else scores

    policy = personal(digits, highest=digits.threshold if highest is None else highest)
    file = made_for(edge, big, digits, policy=policy)
    with hc.Tiered(edge, cloud, policy=file, spot_check=hc.SpotCheck(share=1.0), deadline_s=5.0) as tiered:
        for row in digits.x:
            tiered.infer(row)
        eventually(lambda: tiered.health().promise.whose == "device")
        trouble.append(True)
        for row in digits.x[:200]:
            tiered.infer(row)
        if highest is None:
            eventually(lambda: tiered.health().threshold_owner == "file")
            assert tiered.health().threshold == digits.threshold
            assert "loses more than it promised" in tiered.health().policy_updates[-1].reason
        else:
            eventually(lambda: tiered.health().threshold >= digits.threshold)
