"""The wrapped data keys of the envelope: the one table that is read before anything can be unsealed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from eaa.errors import StorageError
from eaa.storage.database.backend import Backend
from eaa.storage.database.inserts import insert_if_absent
from eaa.storage.database.tables import data_keys as table
from eaa.storage.sealing.data_keys import WrappedDataKey

__all__ = ["DatabaseDataKeys"]


class DatabaseDataKeys:
    """:class:`eaa.storage.sealing.data_keys.DataKeys` in a database."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def load(self) -> Sequence[WrappedDataKey]:
        query = select(table.c.id, table.c.master, table.c.wrapped, table.c.created_at).order_by(
            table.c.created_at
        )
        return [WrappedDataKey(*row) for row in await self._backend.rows(query)]

    async def add(self, key: WrappedDataKey, *, only_first: bool = False) -> bool:
        row = {"id": key.id, "master": key.master, "wrapped": key.wrapped, "created_at": key.created_at}
        unless = select(table.c.id) if only_first else None

        def work(connection: Connection) -> bool:
            return insert_if_absent(connection, table, row, unless=unless)

        return await self._backend.write(work)

    async def replace(self, key: WrappedDataKey) -> None:
        statement = update(table).where(table.c.id == key.id).values(master=key.master, wrapped=key.wrapped)
        if not await self._backend.write(lambda connection: connection.execute(statement).rowcount):
            raise StorageError(
                "there is no data key of this id to replace", detail="data_key", data_key=key.id
            )
