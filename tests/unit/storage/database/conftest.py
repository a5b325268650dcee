"""Each test of the contract runs on SQLite and on a real PostgreSQL, each time on a new database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.storage.database.database import ConnectedDatabase, Database
from tests.fakes.postgresql import PostgresqlServer
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import AesSealer


@pytest.fixture(scope="session")
def migrated(postgresql: PostgresqlServer) -> str:
    """The name of a database with our tables, to be copied."""
    name = postgresql.create_database()

    async def migrate() -> None:
        await (await ConnectedDatabase.connect(postgresql.url(name))).close()

    asyncio.run(migrate())
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with our tables, or of one that is about to get them."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/private/eaa.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.url(server.create_database(request.getfixturevalue("migrated")))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/private/eaa.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.url(server.create_database())


@pytest.fixture
def sealer() -> AesSealer:
    return AesSealer()


@pytest.fixture
def database(run: Run, url: str, sealer: AesSealer) -> Iterator[Database]:
    opened = run(Database.open(url, sealer))
    try:
        yield opened
    finally:
        run(opened.close())


@pytest.fixture
def other(run: Run, database: Database, url: str, sealer: AesSealer) -> Iterator[Database]:
    """Another worker on the same database."""
    opened = run(Database.open(url, sealer))
    try:
        yield opened
    finally:
        run(opened.close())
