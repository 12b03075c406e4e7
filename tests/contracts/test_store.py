"""Every store of a hub keeps its promises: a file of SQLite, a PostgreSQL server."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

import halocline as hc
from halocline.adapters.sql import SqlStore, open_store
from halocline.adapters.sql.tables import METADATA
from halocline.decide import audit_chain
from halocline.testing.memory_store import MemoryStore
from halocline.testing.store_contract import StoreContract, device, entry


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "hub.db")
    return str(request.getfixturevalue("postgresql"))


class TestSqlStore(StoreContract):
    @pytest.fixture
    def store(self, database: str) -> Iterator[SqlStore]:
        with closing(open_store(database)) as store:
            yield store


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def test_the_migrations_make_the_tables_that_the_code_uses(database: str) -> None:
    with closing(open_store(database)) as store, store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_database_is_opened_again_with_what_it_holds(database: str) -> None:
    with closing(open_store(database)) as store, store.change() as tx:
        tx.put_device(device())
        tx.append(entry())
    with closing(open_store(database)) as store, store.change() as tx:
        assert tx.devices() == [device()]
        assert tx.append(entry()).number == 2
        assert audit_chain.faults(tx.audit()) == []


def test_a_value_that_no_column_holds_is_refused_and_not_to_be_tried_again(database: str) -> None:
    with closing(open_store(database)) as store:
        with pytest.raises(hc.Rejected, match="HAL-704"), store.change() as tx:
            tx.put_device(device(boot=2**70))
        with store.look() as tx:
            assert tx.devices() == []


def test_a_database_of_the_first_schema_opens_with_what_it_holds(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "hub.db"
    recorded = (root / "tests/data/hub-schema-0001.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as made:
        made.executescript(recorded)
    with closing(open_store(path)) as store, store.look() as tx:
        assert tx.devices() == [device()]
        assert audit_chain.faults(tx.audit()) == []
        assert len(tx.audit()) == 1


def test_a_database_of_a_newer_halocline_is_refused_as_it_is(database: str) -> None:
    with closing(open_store(database)) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(hc.Misconfigured, match=r"schema '9999', made by a newer halocline.*HAL-705"):
        open_store(database)


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite+pysqlcipher://x", "oracle://x"])
def test_an_unknown_kind_of_database_is_named(url: str) -> None:
    with pytest.raises(hc.Misconfigured, match="HAL-706"):
        open_store(url)


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(hc.Transient, match="HAL-703") as caught:
        open_store("postgresql://ann:hidden@127.0.0.1:9/hub")
    assert "127.0.0.1" in str(caught.value)
    assert "hidden" not in str(caught.value)


def _write(database: str, chain: str, rounds: int) -> None:
    with closing(open_store(database, chain)) as store:
        for at in range(rounds):
            with store.change() as tx:
                counted = tx.device(device().id)
                assert counted is not None
                tx.touch(counted.id, seen_s=0.0, boot=counted.boot + 1)
                tx.append(entry(at=at))


def test_two_processes_open_one_database_at_once_and_lose_nothing(database: str) -> None:
    with closing(open_store(database)) as store, store.change() as tx:
        tx.put_device(device())
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_write, args=(database, f"hub-{at}", 20)) for at in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(60)
    assert [each.exitcode for each in both] == [0, 0]
    with closing(open_store(database)) as store, store.look() as tx:
        found = tx.device(device().id)
        assert found is not None
        assert found.boot == 40
        assert audit_chain.faults(tx.audit()) == []
    with closing(open_store(database)) as store:
        assert list(store.chains()) == ["hub-0", "hub-1"]


def test_an_empty_database_that_two_processes_open_at_once_is_migrated_once(database: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_write_nothing, args=(database,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(60)
    assert [each.exitcode for each in both] == [0, 0]


def _write_nothing(database: str) -> None:
    open_store(database).close()
