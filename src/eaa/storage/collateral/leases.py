"""Work that one process alone shall do: it holds a lease, which ends by itself if the process does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, or_

from eaa.storage.collateral.tables import leases as table
from eaa.storage.database.backend import Backend
from eaa.storage.database.inserts import insert

__all__ = ["Leases"]


class Leases:
    """Leases by name, held by whoever names itself as the ``holder``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def take(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Whether ``holder`` has it now, until ``until``: nobody had it, it was its own, or it had ended."""

        def work(connection: Connection) -> bool:
            statement = insert(connection, table).values(name=name, holder=holder, until=until)
            free = or_(table.c.holder == holder, table.c.until <= now)
            statement = statement.on_conflict_do_update(
                index_elements=[table.c.name], set_={"holder": holder, "until": until}, where=free
            )
            return connection.execute(statement).rowcount == 1

        return await self._backend.write(work)

    async def give_back(self, name: str, holder: str) -> None:
        """Let others have it."""
        statement = delete(table).where(table.c.name == name, table.c.holder == holder)
        await self._backend.write(lambda connection: connection.execute(statement))
