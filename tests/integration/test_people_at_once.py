"""What holds of people while several ask at once, on two stores of one database, as two processes have."""

import threading
import time

from halocline.adapters.sql import open_store
from halocline.errors import HaloclineError
from halocline.fleet import Person, Role
from halocline.hub import people


def at_once(*calls):
    """Run them at the same time; what each returned or raised."""
    results = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def one(at, call):
        ready.wait(30)
        try:
            results[at] = call()
        except HaloclineError as error:
            results[at] = error

    threads = [threading.Thread(target=one, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_starts_at_once_make_one_admin(tmp_path):
    stores = [open_store(tmp_path / "hub.db", f"p{number}") for number in range(2)]
    try:
        made = at_once(
            *(
                lambda store=store, number=number: people.first_admin(store, bytes([number]) * 32, now_s=1.0)
                for number, store in enumerate(stores)
            )
        )
        assert sum(isinstance(each, str) for each in made) == 1
        assert [each.name for each in people.everyone(stores[0])] == ["admin"]
        token = next(each for each in made if each)
        assert people.authenticate(stores[1], token, 2.0)[0].role is Role.ADMIN
    finally:
        for store in stores:
            store.close()


def test_two_admins_who_send_each_other_away_leave_one(tmp_path):
    stores = [open_store(tmp_path / "hub.db", f"p{number}") for number in range(2)]
    try:
        people.first_admin(stores[0], bytes(32), now_s=1.0)
        admin = Person(name="admin", role=Role.ADMIN)
        for turn in range(10):
            (kept,) = people.everyone(stores[0])
            other = Person(name=f"eve{turn}", role=Role.ADMIN)
            people.add_person(stores[0], other, by=admin, reason="", now_s=time.time())

            def remove(store, name, by):
                return lambda: people.remove_person(store, name, by=by, reason="", now_s=time.time())

            at_once(remove(stores[0], kept.name, other), remove(stores[1], other.name, kept))
            assert len(people.everyone(stores[0])) == 1
    finally:
        for store in stores:
            store.close()
