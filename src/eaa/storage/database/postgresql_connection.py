"""One connection of asyncpg, whose end is bounded in time too."""

from __future__ import annotations

import asyncpg

__all__ = ["DRIVER_ERRORS", "BoundedConnection", "connect"]

#: What asyncpg raises besides ``OSError`` and ``TimeoutError``.
DRIVER_ERRORS: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)

_CLOSE_SECONDS = 0.5
_ENDS: tuple[type[Exception], ...] = (OSError, TimeoutError, *DRIVER_ERRORS)

connect = asyncpg.connect


class BoundedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """``close`` says goodbye, and does not wait for a server that is silent."""

    async def close(self, *, timeout: float | None = None) -> None:
        """Never raises; the connection is closed afterwards."""
        try:
            await super().close(timeout=timeout or _CLOSE_SECONDS)
        except _ENDS:
            self.terminate()
