"""verdictd by its command, on a storage of its own; and what is put there beforehand."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.processes import Process, python, running, says
from benchmarks.verdictd_guests import Guests
from eaa.broker.records import PolicyKind, ReferenceValue
from eaa.policy.templates import template
from eaa.storage.database import tables
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.sealing.envelope import Envelope
from eaa.storage.sealing.uri import open_master_key
from tests.fakes.postgresql import postgresql_server

__all__ = ["POSTGRESQL", "SQLITE", "Storage", "fill", "path_of", "prepare", "service", "storage"]

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
SECRET = bytes(range(256)) * 4
#: Resources are of so many repositories in turn.
REPOSITORIES = 1000
_COMMAND = "eaa.cli.verdictd"
#: So many resources in one transaction: one by one they take a commit each.
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Storage:
    """Where one service keeps everything."""

    folder: Path
    url: str

    @property
    def master_key(self) -> str:
        return f"file:{self.folder / 'master.key'}"


@contextmanager
def storage(kind: str) -> Iterator[Storage]:
    """An empty one of that kind, for as long as the block lasts. Both kinds sync each commit to disk."""
    with tempfile.TemporaryDirectory(prefix="eaa-bench-") as name:
        folder = Path(name)
        if kind == SQLITE:
            yield Storage(folder, f"sqlite:///{folder / 'verdictd.sqlite'}")
            return
        with postgresql_server() as server:
            yield Storage(folder, server.url(server.create_database()))


@contextmanager
def service(where: Storage, guests: Guests, *, workers: int = 1, module: str = _COMMAND) -> Iterator[Process]:
    """The command that serves from ``where``, with the measurements of ``guests`` as reference values."""
    command = python(
        module, "--simulated", "--simulated-dir", str(guests.vendor), "--state-directory", str(where.folder),
        "--storage", where.url, "--master-key", where.master_key, "--http", "127.0.0.1:0", "--listen", "",
        "--client-api", "", "--metrics", "", "--log-level", "warn", "--workers", str(workers),
    )  # fmt: skip
    asyncio.run(prepare(where, guests))
    ready = says(r"listening on http://(\S+)")
    with running(command, where.folder, ready, VERDICTD_LIMITS__CHALLENGE_SECONDS="3600") as process:
        yield process


def path_of(number: int) -> str:
    """Of the resource with this number."""
    return f"r{number % REPOSITORIES}/key/{number}"


def fill(where: Storage, resources: int, policies: int) -> None:
    """Put so many resources there, and so many policies, of a repository each, beside those that it has."""
    asyncio.run(_fill(where, resources, policies))


async def prepare(where: Storage, guests: Guests) -> None:
    """Make the measurements of ``guests`` reference values."""
    now = datetime.now(UTC)
    until = now + timedelta(days=1)
    async with _opened(where) as (_, _, database):
        await database.references.put(
            [
                ReferenceValue(name, [value], until, now, "benchmark")
                for name, value in guests.measurements.items()
            ]
        )


async def _fill(where: Storage, resources: int, policies: int) -> None:
    text = template("allow_affirming").text
    async with _opened(where) as (connected, sealer, database):
        for number in range(policies):
            await database.policies.put(
                PolicyKind.RESOURCE, f"resource/r{number}", f"{text}\n# {number}\n", by="benchmark",
                now=datetime.now(UTC),
            )  # fmt: skip
        for first in range(0, resources, _BATCH):
            await _put_many(connected, sealer, range(first, min(first + _BATCH, resources)))


@asynccontextmanager
async def _opened(where: Storage) -> AsyncIterator[tuple[ConnectedDatabase, Envelope, Database]]:
    connected = await ConnectedDatabase.connect(where.url)
    try:
        sealer = Envelope(open_master_key(where.master_key), connected.data_keys)
        yield connected, sealer, connected.with_sealer(sealer)
    finally:
        await connected.close()


async def _put_many(connected: ConnectedDatabase, sealer: Envelope, numbers: Sequence[int]) -> None:
    rows = [
        {
            "path": path, "version": 1, "size": len(SECRET), "enabled": True,
            "created_at": datetime.now(UTC), "created_by": "benchmark",
            "sealed": await sealer.seal(SECRET, context=f"resource/{path}@1".encode()),
        }
        for path in map(path_of, numbers)
    ]  # fmt: skip
    counters = [{"scope": "resource", "name": row["path"], "last": 1} for row in rows]

    def insert(connection: Connection) -> None:
        connection.execute(tables.resources.insert(), rows)
        connection.execute(tables.version_counters.insert(), counters)

    await connected.backend.write(insert)
