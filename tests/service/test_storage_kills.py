"""Writers killed at random moments: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import random
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from eaa.broker.names import ResourcePath
from eaa.broker.records import PolicyKind
from eaa.errors import ResourceNotFound, StorageError
from eaa.storage.database.database import Database
from tests.fakes.postgresql import PostgresqlServer, postgresql_server
from tests.unit.storage.database.samples import AesSealer
from tests.unit.storage.database.writer import PAIR, Acknowledged, content_is_whole, write_for_ever

_KILLS_OF_SQLITE = 200
_KILLS_OF_POSTGRESQL = 20
_CRASHES_OF_POSTGRESQL = 4
#: Each begins with an empty folder, so that migrations are killed too.
_FILES = 4
#: Writers of one database at a time.
_WRITERS = 2
_LONGEST_SECONDS = 0.25


#: What the writers write.
KINDS = {"resource", "key", "policy", "references", "session"}


class _Writers:
    """Writers of one database, forked from a process that has imported all they need."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.key = secrets.token_bytes(32)
        self.acknowledged: list[Acknowledged] = []
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["pytest", "tests.unit.storage.database.writer"])

    def kill(self, count: int) -> None:
        """Start and kill ``count`` of them, each after a random time, several at once."""
        seeds = [self._random.randrange(2**32) for _ in range(count)]
        with ThreadPoolExecutor(_WRITERS) as lanes:
            list(lanes.map(self._kill_one, seeds))

    def _kill_one(self, seed: int) -> None:
        with self.writing(seed):
            time.sleep(random.Random(seed).random() * _LONGEST_SECONDS)  # noqa: S311 - not for secrets

    @contextmanager
    def writing(self, seed: int) -> Iterator[None]:
        """One of them writes meanwhile, and is killed in the end."""
        mine, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=write_for_ever, args=(self.url, self.key, seed, theirs))
        process.start()
        theirs.close()
        assert mine.poll(60), "the writer does not start"
        mine.recv_bytes()
        reader = threading.Thread(target=self._read, args=(mine,))
        reader.start()
        try:
            yield
        finally:
            alive = process.is_alive()
            process.kill()
            process.join(30)
            reader.join(30)
            mine.close()
            process.close()
        assert alive, "the writer ended before it was killed"

    @property
    def kinds(self) -> Counter[str]:
        """How much of what was acknowledged."""
        return Counter(kind for kind, *_ in self.acknowledged)

    def _read(self, acknowledgements: Connection) -> None:
        while True:
            try:
                kind, name, version, digest = json.loads(acknowledgements.recv_bytes())
            except (EOFError, OSError):  # killed between two messages, or within one
                return
            self.acknowledged.append((kind, name, version, digest))


@pytest.fixture
def seed() -> int:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown if the test fails
    return seed


def test_sqlite_keeps_what_it_acknowledged_through_kills(tmp_path: Path, seed: int) -> None:
    for number in range(_FILES):
        file = tmp_path / f"{number}" / "eaa.db"
        writers = _Writers(f"sqlite:///{file}", seed + number)
        writers.kill(_KILLS_OF_SQLITE // _FILES)
        _require_kept(writers, at_least=_KILLS_OF_SQLITE // _FILES)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.fixture
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


def test_postgresql_keeps_what_it_acknowledged_through_kills_and_crashes(
    postgresql: PostgresqlServer, seed: int
) -> None:
    database = postgresql.create_database()
    writers = _Writers(postgresql.url(database), seed)
    writers.kill(_KILLS_OF_POSTGRESQL)
    with writers.writing(seed), writers.writing(seed + 1):
        for _ in range(_CRASHES_OF_POSTGRESQL):
            _wait_for_more(writers)
            assert postgresql.terminate_connections(database) > 0
            _wait_for_more(writers)
            postgresql.stop("immediate")
            postgresql.start()
        _wait_for_more(writers)
    _require_kept(writers, at_least=_KILLS_OF_POSTGRESQL)


def _wait_for_more(writers: _Writers, count: int = 50) -> None:
    wanted = len(writers.acknowledged) + count
    deadline = time.monotonic() + 30
    while len(writers.acknowledged) < wanted:
        assert time.monotonic() < deadline, "the writers do not write any more"
        time.sleep(0.005)


def _require_kept(writers: _Writers, *, at_least: int) -> None:
    with writers.writing(at_least):  # a slow machine's writers are killed before they have done much
        deadline = time.monotonic() + 30
        while writers.kinds.keys() != KINDS or writers.kinds.total() <= at_least:
            assert time.monotonic() < deadline, f"only {writers.kinds} were written"
            time.sleep(0.02)
    asyncio.run(_look(writers))


async def _look(writers: _Writers) -> None:
    database = await Database.open(writers.url, AesSealer(writers.key))
    try:
        await _require_acknowledged(database, writers.acknowledged)
        await _require_whole(database)
    finally:
        await database.close()


async def _require_acknowledged(database: Database, acknowledged: list[Acknowledged]) -> None:
    """Each is there under its version, which nothing else was acknowledged under."""
    versioned = [(kind, name, version) for kind, name, version, _ in acknowledged if version]
    assert len(versioned) == len(set(versioned))
    for kind, name, version, digest in acknowledged:
        match kind:
            case "resource":
                path = ResourcePath.parse(name)
                content = (await database.resources.read(path, version=version)).content
            case "key":
                content = (await database.keys.read(name, version=version)).material
            case "policy":
                policy = await database.policies.read(PolicyKind.RESOURCE, name, version=version)
                content = policy.text.encode()
            case "session":
                session = await database.sessions.read(name)
                assert session is not None, f"the acknowledged session {name} is lost"
                content = (session.token or "").encode()
            case _:
                continue
        assert hashlib.sha256(content).hexdigest() == digest


async def _require_whole(database: Database) -> None:
    """What is there, acknowledged or not, is there whole; what belongs together is there together."""
    for info in await database.resources.list():
        for version in await database.resources.versions(info.path):
            resource = await database.resources.read(info.path, version=version.version)
            assert content_is_whole(resource.content)
            assert len(resource.content) == version.size
    for key in await database.keys.list():
        for old in await database.keys.versions(key.kid):
            assert len((await database.keys.read(key.kid, version=old.version)).material) == 32
    changes = 0
    for policy in await database.policies.current(PolicyKind.RESOURCE):
        history = await database.policies.history(PolicyKind.RESOURCE, policy.id)
        assert [each.version for each in history] == list(range(policy.version, 0, -1))
        assert all(content_is_whole(each.text.encode()) for each in history)
        changes += len(history)
    assert await database.policies.generation() > changes
    first, second = [await database.references.read(name) for name in PAIR]
    assert first.value == second.value
    decisions = await database.decisions.list(limit=10**6)
    for decision in decisions:
        assert await database.sessions.read(decision.subject) is not None
    assert await database.sessions.prune(datetime.max.replace(tzinfo=UTC)) == len(decisions)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM decisions WHERE id = (SELECT max(id) FROM decisions)", AssertionError),
        ("DELETE FROM sessions WHERE id = (SELECT max(id) FROM sessions)", AssertionError),
        ("DELETE FROM resources WHERE version = 1", ResourceNotFound),
        ("UPDATE reference_values SET value = '1' WHERE name = 'pair-a'", AssertionError),
        ("UPDATE keys SET sealed = substr(sealed, 1, 20) WHERE version = 1", StorageError),
    ],
)
def test_the_look_sees_what_is_lost_or_half(
    tmp_path: Path, seed: int, statement: str, error: type[Exception]
) -> None:
    file = tmp_path / "private" / "eaa.db"
    writers = _Writers(f"sqlite:///{file}", seed)
    with writers.writing(seed):
        _wait_for_more(writers, 200)
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    with pytest.raises(error):
        asyncio.run(_look(writers))
