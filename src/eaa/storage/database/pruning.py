"""Rows that are over, removed a few at a time."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, delete, select

from eaa.storage.database.backend import Backend

__all__ = ["prune"]

#: Of one transaction, so that none keeps the writers of requests waiting for long.
_AT_ONCE = 1000


async def prune(backend: Backend, table: Table, over: ColumnElement[bool]) -> int:
    """Remove the rows of ``table`` for which ``over`` holds; how many."""
    statement = delete(table).where(table.c.id.in_(select(table.c.id).where(over).limit(_AT_ONCE)))
    pruned = 0
    while count := await backend.write(lambda connection: connection.execute(statement).rowcount):
        pruned += count
    return pruned
