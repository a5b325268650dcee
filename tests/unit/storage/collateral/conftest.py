"""Each test of the contract runs on SQLite and on a real PostgreSQL, each time on a new database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.storage.collateral.database import CollateralDatabase
from tests.fakes.postgresql import PostgresqlServer
from tests.unit.storage.conftest import Run


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/private/collateral.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.url(server.create_database())


@pytest.fixture
def database(run: Run, url: str) -> Iterator[CollateralDatabase]:
    opened = run(CollateralDatabase.open(url))
    try:
        yield opened
    finally:
        run(opened.close())


@pytest.fixture
def other(run: Run, database: CollateralDatabase, url: str) -> Iterator[CollateralDatabase]:
    """Another process on the same database."""
    opened = run(CollateralDatabase.open(url, migrate=False))
    try:
        yield opened
    finally:
        run(opened.close())
