"""SQLite: what its files hold, and what happens when others hold it or the disk is full."""

from __future__ import annotations

import asyncio
import base64
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from eaa.broker.records import ServiceKey
from eaa.errors import StorageError
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.database.sqlite import SqliteBackend, _use_wal
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW, PATH, AesSealer, decision, session


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "private" / "eaa.db"


@pytest.fixture
def database(run: Run, file: Path) -> Iterator[Database]:
    opened = run(Database.open(f"sqlite:///{file}", AesSealer()))
    yield opened
    run(opened.close())


@pytest.fixture
def backend(run: Run, file: Path) -> Iterator[SqliteBackend]:
    """Of a file with our tables, and of little patience."""
    run(_closed(file))
    patient = SqliteBackend(file, busy_seconds=0.2)
    yield patient
    run(patient.close())


async def _closed(file: Path) -> None:
    await (await ConnectedDatabase.connect(f"sqlite:///{file}")).close()


def _pragma(name: str, connection: Connection) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_every_connection_is_durable_and_keeps_foreign_keys(run: Run, backend: SqliteBackend) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 200,
    }
    for name, value in wanted.items():
        assert run(backend.write(partial(_pragma, name))) == value


def test_no_secret_is_in_the_files_as_it_is(run: Run, database: Database, file: Path) -> None:
    content, material, service, token = (secrets.token_bytes(32) for _ in range(4))

    async def work() -> None:
        for _ in range(2):
            await database.resources.put(PATH, content * 40, by="somebody-visible", now=NOW)
            await database.keys.put("k", material, by="", now=NOW)
        await database.service_keys.add(ServiceKey("token", "k", service, (), NOW, NOW + HOUR))
        await database.sessions.spend(session("s", token=token.hex()), decision())
        await database.resources.delete(PATH, version=1)
        await database.keys.destroy("k", version=1)

    run(work())
    files = {path.name: path.read_bytes() for path in file.parent.iterdir()}
    assert set(files) == {"eaa.db", "eaa.db-wal", "eaa.db-shm"}
    assert b"somebody-visible" in files["eaa.db-wal"]
    for secret in (content, material, service, token):
        for form in (
            secret,
            secret.hex().encode(),
            base64.b64encode(secret),
            base64.urlsafe_b64encode(secret),
        ):
            assert not [name for name, data in files.items() if form[:40] in data]


def test_a_writer_that_waits_too_long_is_told_so(run: Run, backend: SqliteBackend, file: Path) -> None:
    database = ConnectedDatabase(backend).with_sealer(AesSealer())
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        for write in (
            database.resources.put(PATH, b"x", by="", now=NOW),
            database.sessions.spend(session("s"), decision()),
        ):
            with pytest.raises(StorageError) as caught:
                run(write)
            assert caught.value.code == "storage.busy"
        assert run(database.sessions.read("s")) is None
        holder.execute("ROLLBACK")
        run(database.sessions.spend(session("s"), decision()))


def test_a_lookup_that_would_wait_waits_in_a_thread(run: Run, file: Path) -> None:
    """As while another process recovers the log after a crash: nobody else may look."""
    run(_closed(file))
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")

    async def work() -> int:
        backend = SqliteBackend(file)
        database = ConnectedDatabase(backend).with_sealer(AesSealer())
        generation = asyncio.create_task(database.policies.generation())
        ticks = 0
        while ticks < 50:  # the loop goes on meanwhile
            await asyncio.sleep(0.002)
            ticks += 1
        assert not generation.done()
        threading.Thread(target=holder.close).start()
        try:
            return await generation
        finally:
            await database.close()

    assert run(work()) == 0


def test_a_full_disk_keeps_nothing_by_half(run: Run, database: Database) -> None:
    backend = database._connected.backend
    run(database.sessions.spend(session("before"), decision()))
    pages = run(backend.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one()))
    run(backend.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}").close()))
    with pytest.raises(StorageError) as caught:
        run(database.resources.put(PATH, bytes(1_000_000), by="", now=NOW))
    assert caught.value.code == "storage.full"
    with pytest.raises(StorageError) as caught:
        run(database.sessions.spend(session("s", token="t" * 100_000), decision()))
    assert caught.value.code == "storage.full"
    run(backend.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").close()))
    assert run(database.resources.versions(PATH)) == []
    assert len(run(database.decisions.list())) == 1
    assert run(database.resources.put(PATH, bytes(1_000_000), by="", now=NOW)).version == 1


def test_who_is_cancelled_while_writing_hurts_nobody(run: Run, database: Database) -> None:
    async def work() -> None:
        for delay in range(20):
            task = asyncio.create_task(database.resources.put(PATH, b"x", by="", now=NOW))
            await asyncio.sleep(delay / 10_000)
            task.cancel()
            await asyncio.wait([task])
        info = await database.resources.put(PATH, b"last", by="", now=NOW)
        versions = await database.resources.versions(PATH)
        assert versions[0] == info
        assert [each.version for each in versions] == list(range(info.version, 0, -1))

    run(work())


def test_an_error_says_nothing_of_what_was_written(run: Run, database: Database) -> None:
    def work(connection: object) -> None:
        raise sqlite3.OperationalError("near 'pa55word': syntax error")

    with pytest.raises(StorageError) as caught:
        run(database._connected.backend.write(work))
    assert caught.value.code == "storage.failed"
    assert "pa55word" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_table_that_is_gone_is_an_error_of_the_lookup(run: Run, database: Database) -> None:
    run(database._connected.backend.write(lambda c: c.exec_driver_sql("DROP TABLE generation").close()))
    with pytest.raises(StorageError) as caught:
        run(database.policies.generation())
    assert caught.value.code == "storage.failed"


def test_the_change_to_the_log_waits_for_others(run: Run, file: Path) -> None:
    """A file that is no WAL yet, read by another process, cannot be changed to it."""
    file.parent.mkdir(mode=0o700)
    file.touch(mode=0o600)
    reader = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    reader.execute("CREATE TABLE t (x)")
    reader.execute("INSERT INTO t VALUES (1)")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM t").fetchall()
    impatient = SqliteBackend(file, busy_seconds=0.1)
    with pytest.raises(StorageError) as caught:
        run(impatient.write(lambda connection: None))
    assert caught.value.code == "storage.busy"
    run(impatient.close())
    threading.Timer(0.2, reader.close).start()
    run(_closed(file))


def test_two_that_change_to_the_log_at_the_same_time_try_again() -> None:
    """SQLite answers at once that it is busy, so that neither waits for the other for ever."""

    class Refused:
        attempts = 0

        def execute(self, statement: str) -> Refused:
            self.attempts += 1
            if self.attempts < 3:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            return self

        def fetchone(self) -> tuple[str]:
            return ("wal",)

    refused = Refused()
    _use_wal(refused, 10)
    assert refused.attempts == 3


def test_a_file_system_without_shared_memory_is_refused() -> None:
    """As some network file systems: the database says that it keeps no WAL."""

    class Stubborn:
        def execute(self, statement: str) -> Stubborn:
            return self

        def fetchone(self) -> tuple[str]:
            return ("delete",)

    with pytest.raises(StorageError) as caught:
        _use_wal(Stubborn(), 0)
    assert caught.value.code == "storage.wal"
