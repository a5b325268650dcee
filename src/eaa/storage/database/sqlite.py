"""SQLite: one file, several threads and processes.

Transactions run in threads, those that write in one thread of their own, so that those of one process never
wait for each other's locks. Lookups run where they are asked for: one of them takes less time than the way to
a thread and back.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Executable, create_engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import QueuePool, StaticPool

from eaa.errors import StorageError
from eaa.storage.database.backend import Lookup, Statement, closed
from eaa.storage.database.failures import DATABASE_ERRORS, Cause, cause_of, storage_error

__all__ = ["BUSY_SECONDS", "SqliteBackend"]

#: How long one transaction waits for those of other processes.
BUSY_SECONDS = 10.0
_READERS = 2
_WAL_LIMIT_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


class SqliteBackend:
    """The file ``path``, or, if it is ``None``, a database in memory of this object alone."""

    def __init__(self, path: Path | None, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._busy_seconds = busy_seconds
        self._writer = _engine(path, "BEGIN IMMEDIATE", busy_seconds)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        if path is None:
            self._reader, self._reading = self._writer, self._writing
            self._lookups: sqlite3.Connection | None = None
        else:
            self._reader = _engine(path, "BEGIN", busy_seconds)
            self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
            self._lookups = sqlite3.connect(path, isolation_level=None, timeout=0, cached_statements=16)
        self._statements: dict[Lookup, Statement] = {}
        self._closed = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._writing, self._writer, work)

    async def rows(self, query: Executable) -> Sequence[Sequence[Any]]:
        return await self._run(
            self._reading, self._reader, lambda connection: connection.execute(query).all()
        )

    async def lookup(self, query: Lookup, values: Mapping[str, object]) -> Sequence[Any] | None:
        if self._closed:
            raise closed()
        if self._lookups is not None:
            statement = self._statements.get(query) or self._compile(query)
            try:
                # All rows, not the first: a statement that is not at its end keeps its snapshot.
                rows = self._lookups.execute(statement.text, statement.arguments(values)).fetchall()
            except sqlite3.Error as error:
                if cause_of(error) is not Cause.BUSY:
                    raise storage_error(error) from None
            else:
                return rows[0] if rows else None
        return await self._run(
            self._reading, self._reader, lambda connection: self._fetch(connection, query, values)
        )

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)
        if self._lookups is not None:
            self._lookups.close()

    def _close(self) -> None:
        for threads, engine in {self._reading: self._reader, self._writing: self._writer}.items():
            threads.shutdown()
            engine.dispose()

    def _compile(self, query: Lookup) -> Statement:
        statement = self._statements[query] = query.compiled(_DIALECT)
        return statement

    def _fetch(
        self, connection: Connection, query: Lookup, values: Mapping[str, object]
    ) -> Sequence[Any] | None:
        statement = self._statements.get(query) or self._compile(query)
        rows = connection.exec_driver_sql(statement.text, statement.arguments(values)).all()
        return rows[0] if rows else None

    async def _run(self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise closed()
        return await asyncio.get_running_loop().run_in_executor(threads, _transact, engine, work)


_DIALECT = SQLiteDialect_pysqlite(paramstyle="qmark")


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except DATABASE_ERRORS as error:
        raise storage_error(error) from None


def _engine(path: Path | None, begin: str, busy_seconds: float) -> Engine:
    """Transactions begin with ``begin``, not, as the driver would, before the first statement that writes."""
    arguments = {"timeout": busy_seconds, "check_same_thread": False}
    if path is None:
        engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args=arguments, hide_parameters=True
        )
    else:
        url = URL.create("sqlite+pysqlite", database=str(path))
        engine = create_engine(
            url, poolclass=QueuePool, pool_size=_READERS, connect_args=arguments, hide_parameters=True
        )
    event.listen(engine, "connect", lambda connection, _: _prepare(connection, busy_seconds))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare(connection: Any, busy_seconds: float) -> None:
    connection.isolation_level = None
    _use_wal(connection, busy_seconds)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"journal_size_limit = {_WAL_LIMIT_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any, busy_seconds: float) -> None:
    """Two that change it at the same time refuse each other without waiting: it is tried again here."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if cause_of(error) is not Cause.BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            if mode not in ("wal", "memory"):
                raise StorageError(
                    f"the file system of the database cannot do WAL, only {mode}", detail="wal"
                )
            return
