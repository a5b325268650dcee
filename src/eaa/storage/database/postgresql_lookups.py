"""Connections to PostgreSQL for lookups alone: one round trip each, and nothing around it.

Through the pool of the transactions a lookup takes seven times as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from eaa.storage.database.postgresql_connection import BoundedConnection, connect

__all__ = ["LookupConnections"]


class LookupConnections:
    """At most ``limit`` connections, opened when they are needed, with ``options`` of ``asyncpg.connect``.

    Who finds all in use waits for at most ``wait_seconds``.
    """

    def __init__(self, options: Mapping[str, Any], limit: int, *, wait_seconds: float) -> None:
        self._options = options
        self._wait_seconds = wait_seconds
        self._places = asyncio.Semaphore(limit)
        self._idle: list[BoundedConnection] = []
        self._closed = False

    async def fetch(self, text: str, arguments: tuple[object, ...]) -> Sequence[Sequence[Any]]:
        """The rows of one statement.

        Raises:
            asyncpg.PostgresError: the server refused.
            OSError: it cannot be reached, or the connection was lost; another attempt opens another one.
            TimeoutError: it did not answer in time.
        """
        await self._take_place()
        try:
            connection = self._idle.pop() if self._idle else await connect(**self._options)
            try:
                rows: Sequence[Sequence[Any]] = await connection.fetch(text, *arguments)
            except BaseException as error:
                lost = connection.is_closed()
                connection.terminate()  # in whatever state it is
                if lost and isinstance(error, Exception):
                    self._drop_all()
                    raise ConnectionResetError("the connection was lost") from None
                raise
            if self._closed:
                connection.terminate()
            else:
                self._idle.append(connection)
            return rows
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close those that are idle; those in use end with their answer."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        async with asyncio.timeout(self._wait_seconds):
            await self._places.acquire()

    def _drop_all(self) -> None:
        """When one is lost, its neighbours most likely are too."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()
