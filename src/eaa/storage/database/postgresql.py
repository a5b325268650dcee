"""PostgreSQL: a pool of connections, and what to do when one is lost.

Nothing is pinged before it is used. A transaction that fails before its commit was sent has not happened: if
the cause is a lost connection or a conflict, it is done again, on another connection.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Executable
from sqlalchemy.ext.asyncio import create_async_engine

from eaa.storage.database.backend import Lookup, Statement, closed
from eaa.storage.database.failures import DATABASE_ERRORS, Cause, cause_of, storage_error
from eaa.storage.database.postgresql_connection import DRIVER_ERRORS, BoundedConnection
from eaa.storage.database.postgresql_lookups import LookupConnections

__all__ = ["ATTEMPTS", "PostgresqlBackend"]

#: How often one transaction is tried.
ATTEMPTS = 5
_POOL = 8
_OVERFLOW = 8
_CONNECT_SECONDS = 5.0
_POOL_SECONDS = 10.0
#: The server's limit, and ours for a server that is silent.
_STATEMENT_SECONDS = 15
_ANSWER_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 0.01

_ERRORS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, *DRIVER_ERRORS)

T = TypeVar("T")


class PostgresqlBackend:
    """The database at ``url``, over TLS as ``tls`` says, or without."""

    def __init__(self, url: URL, tls: ssl.SSLContext | None) -> None:
        arguments: dict[str, Any] = {
            "connection_class": BoundedConnection,
            "timeout": _CONNECT_SECONDS,
            "command_timeout": _ANSWER_SECONDS,
            "ssl": tls or False,
            "server_settings": {
                "application_name": "eaa",
                "statement_timeout": str(_STATEMENT_SECONDS * 1000),
                "lock_timeout": str(_STATEMENT_SECONDS * 1000),
                "idle_in_transaction_session_timeout": str(_STATEMENT_SECONDS * 1000),
            },
        }
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=_POOL, max_overflow=_OVERFLOW, pool_timeout=_POOL_SECONDS, pool_use_lifo=True,
            connect_args=arguments, hide_parameters=True,
        )  # fmt: skip
        _, options = self._engine.dialect.create_connect_args(self._engine.url)
        self._lookups = LookupConnections({**options, **arguments}, _POOL, wait_seconds=_POOL_SECONDS)
        self._plain = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._statements: dict[Lookup, Statement] = {}
        self._closed = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        committing = False

        async def once() -> T:
            nonlocal committing
            committing = False
            async with self._engine.connect() as connection:
                result = await connection.run_sync(work)
                committing = True
                await connection.commit()
            return result

        return await self._again(once, committing=lambda: committing)

    async def rows(self, query: Executable) -> Sequence[Sequence[Any]]:
        async def once() -> Sequence[Sequence[Any]]:
            async with self._plain.connect() as connection:
                return (await connection.execute(query)).all()

        return await self._again(once)

    async def lookup(self, query: Lookup, values: Mapping[str, object]) -> Sequence[Any] | None:
        statement = self._statements.get(query)
        if statement is None:
            statement = self._statements[query] = query.compiled(self._engine.dialect)
        text, arguments = statement.text, statement.arguments(values)
        rows = await self._again(lambda: self._lookups.fetch(text, arguments))
        return rows[0] if rows else None

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._lookups.close()
            await self._engine.dispose()

    async def _again(
        self, once: Callable[[], Awaitable[T]], committing: Callable[[], bool] = lambda: False
    ) -> T:
        attempt = 0
        while True:
            attempt += 1
            if self._closed:
                raise closed()
            try:
                return await once()
            except _ERRORS as error:
                if attempt == ATTEMPTS or not _may_repeat(cause_of(error), committing=committing()):
                    raise storage_error(error, committing=committing()) from None
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


def _may_repeat(cause: Cause, *, committing: bool) -> bool:
    return cause is Cause.CONFLICT or (cause is Cause.LOST and not committing)
