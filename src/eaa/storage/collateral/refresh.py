"""When what is kept is to be fetched anew: the column ``refresh_at`` of its table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Table, func, select

from eaa.storage.database.backend import Backend

__all__ = ["first_due"]


async def first_due(backend: Backend, table: Table) -> datetime | None:
    """When the first row of ``table`` is due, if there is any."""
    rows = await backend.rows(select(func.min(table.c.refresh_at)))
    value: datetime | None = rows[0][0]
    return value
