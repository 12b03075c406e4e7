"""Two hub processes on one PostgreSQL are one hub: what one of them does holds at the other at once."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub_processes import PORTS_0, HubProcess, device, join, point_at

from halocline.adapters.http.hub_link import HubLink
from halocline.adapters.sql import open_store
from halocline.decide.audit_chain import faults
from halocline.errors import HaloclineError
from halocline.fleet import ModelSettings, Reported, Settings
from halocline.wire.people import InviteRequest


@pytest.fixture
def hubs(tmp_path: Path, postgresql: str) -> Iterator[tuple[HubProcess, HubProcess]]:
    """Two processes that share an empty database and, for the authority, a state folder."""
    serve = ("--database", postgresql, *PORTS_0)
    with (
        HubProcess(tmp_path / "hub", *serve) as one,
        HubProcess(tmp_path / "hub", *serve) as other,
    ):
        yield one, other
        assert (one.stop(), other.stop()) == (0, 0)


def test_a_device_joins_at_one_lives_at_the_other_and_a_revocation_reaches_it_on_its_next_request(
    hubs: tuple[HubProcess, HubProcess], tmp_path: Path
) -> None:
    one, other = hubs
    state = tmp_path / "dev"
    with one.people() as at_one, other.people() as at_other, device(state) as folder:
        places = join(folder, at_one.invite(InviteRequest(ttl_s=600, uses=1)).invite)
        point_at(state, other.urls)
        link = HubLink(folder)
        before = link.desired(None)
        assert before is not None
        assert before.generation == 0

        wanted = Settings(models={"edge": ModelSettings(threshold=0.75)})
        at_one.set(places.device, wanted, reason="seen at one")
        after = link.desired(0)
        assert after is not None
        assert after.settings == wanted
        link.report(Reported(generation=after.generation))
        told = at_one.device(places.device).twin.reported
        assert told is not None
        assert told.generation == after.generation

        link.renew()
        point_at(state, one.urls)
        with_new = HubLink(folder)
        assert with_new.desired(after.generation) is None

        at_other.revoke(places.device, reason="lost")
        with pytest.raises(HaloclineError) as refused:  # over a connection that was open before
            with_new.desired(after.generation)
        assert refused.value.code == "HAL-714"
        with pytest.raises(HaloclineError) as again:
            link.desired(None)
        assert again.value.code in ("HAL-714", "HAL-715")
        with_new.close()
        link.close()


def test_an_invite_that_both_are_shown_at_once_is_used_as_often_as_it_says(
    hubs: tuple[HubProcess, HubProcess], tmp_path: Path, postgresql: str
) -> None:
    one, _ = hubs
    with one.people() as people:
        invite = people.invite(InviteRequest(ttl_s=600, uses=3, labels={"batch": "seven"})).invite

        def attempt(number: int) -> str:
            with device(tmp_path / f"dev{number}") as folder:
                try:
                    return join(folder, invite, at=hubs[number % 2].urls.join).device
                except HaloclineError as error:
                    return error.code

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(attempt, range(8)))
        joined = [each for each in answers if each.startswith("dev-")]
        assert len(set(joined)) == len(joined) == 3, answers
        assert answers.count("HAL-713") == 5, answers
        listed = people.devices(labels={"batch": "seven"})
        assert {each.device.id for each in listed} == set(joined)

    with contextlib.closing(open_store(postgresql, "observer")) as store, store.look() as tx:
        written = tx.audit()
    assert len({each.chain for each in written}) == 2, "each process writes a chain of its own"
    assert faults(written) == []
