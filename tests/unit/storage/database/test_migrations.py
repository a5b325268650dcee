"""Bringing the tables to the state that this code knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from eaa.errors import ConfigError
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.database.location import backend_of
from eaa.storage.database.migrate import revisions, upgrade
from eaa.storage.database.tables import metadata
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import NOW, PATH, AesSealer

T = TypeVar("T")


def _ask(run: Run, url: str, work: Callable[[Connection], T]) -> T:
    async def ask() -> T:
        backend = backend_of(url)
        try:
            return await backend.write(work)
        finally:
            await backend.close()

    return run(ask())


def _migrate(run: Run, url: str, revision: str) -> None:
    async def migrate() -> None:
        backend = backend_of(url)
        await upgrade(backend, revision)
        await backend.close()

    run(migrate())


def _differences(connection: Connection) -> list[Any]:
    return list(
        compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    )


@pytest.mark.parametrize("start", [None, *revisions()])
def test_from_each_revision_the_newest_is_reached(run: Run, empty_url: str, start: str | None) -> None:
    if start is not None:
        _migrate(run, empty_url, start)
    _migrate(run, empty_url, "head")
    assert _ask(run, empty_url, _differences) == []


def test_the_comparison_sees_a_difference(run: Run, empty_url: str) -> None:
    _migrate(run, empty_url, "head")
    _ask(run, empty_url, lambda connection: connection.exec_driver_sql("DROP TABLE data_keys"))
    assert _ask(run, empty_url, _differences) != []


def test_workers_that_start_together_migrate_once(run: Run, empty_url: str, sealer: AesSealer) -> None:
    async def work() -> list[int]:
        databases = await asyncio.gather(*(Database.open(empty_url, sealer) for _ in range(6)))
        infos = await asyncio.gather(*(each.resources.put(PATH, b"x", by="", now=NOW) for each in databases))
        for each in databases:
            await each.close()
        return sorted(info.version for info in infos)

    assert run(work()) == [1, 2, 3, 4, 5, 6]


def test_tables_newer_than_this_code_are_refused(run: Run, url: str) -> None:
    run(_opened_and_closed(url))
    _ask(run, url, lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (True, False):
        with pytest.raises(ConfigError, match="newer") as caught:
            run(_opened_and_closed(url, migrate=migrate))
        assert caught.value.code == "config.database_schema"


def test_without_migration_a_database_without_tables_is_refused(run: Run, empty_url: str) -> None:
    with pytest.raises(ConfigError, match="migrate it") as caught:
        run(_opened_and_closed(empty_url, migrate=False))
    assert caught.value.code == "config.database_schema"
    run(_opened_and_closed(empty_url))
    run(_opened_and_closed(empty_url, migrate=False))


def test_a_migration_that_fails_leaves_nothing(run: Run, empty_url: str) -> None:
    _ask(run, empty_url, lambda c: c.exec_driver_sql("CREATE TABLE decisions (id INTEGER)"))
    with pytest.raises(Exception, match="the database refused"):
        run(_opened_and_closed(empty_url))
    count = "SELECT count(*) FROM {} WHERE name = 'resources'"
    tables = "sqlite_master" if empty_url.startswith("sqlite") else "(SELECT relname AS name FROM pg_class) t"
    assert _ask(run, empty_url, lambda c: c.exec_driver_sql(count.format(tables)).scalar_one()) == 0


async def _opened_and_closed(url: str, *, migrate: bool = True) -> None:
    await (await ConnectedDatabase.connect(url, migrate=migrate)).close()
