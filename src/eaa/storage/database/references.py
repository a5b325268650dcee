"""Reference values by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from eaa.broker.records import ReferenceValue
from eaa.errors import FormatError, ResourceNotFound
from eaa.storage.database.backend import Backend
from eaa.storage.database.columns import require_text, storable
from eaa.storage.database.inserts import insert
from eaa.storage.database.policies import advance_generation
from eaa.storage.database.tables import reference_values as table

__all__ = ["DatabaseReferenceValues"]

_ALL = select(table.c.name, table.c.value, table.c.expires_at, table.c.created_at, table.c.created_by)


class DatabaseReferenceValues:
    """:class:`eaa.broker.ports.ReferenceValues` in a database."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def put(self, values: Sequence[ReferenceValue]) -> None:
        # One of each name, the last. In order, so that two puts never wait for each other in a circle.
        by_name = {value.name: value for value in values}
        rows = [_row(by_name[name]) for name in sorted(by_name)]
        if rows:
            await self._backend.write(lambda connection: _put(connection, rows))

    async def read(self, name: str) -> ReferenceValue:
        name = require_text(name, what="reference value", field="name")
        rows = await self._backend.rows(_ALL.where(table.c.name == name))
        if not rows:
            raise _not_found(name)
        return _value(rows[0])

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[ReferenceValue]:
        query = _ALL.order_by(table.c.name).limit(limit)
        if after:
            query = query.where(table.c.name > require_text(after, what="listing", field="after"))
        return [_value(row) for row in await self._backend.rows(query)]

    async def delete(self, name: str) -> None:
        statement = delete(table).where(
            table.c.name == require_text(name, what="reference value", field="name")
        )

        def work(connection: Connection) -> int:
            deleted = connection.execute(statement).rowcount
            if deleted:
                advance_generation(connection)
            return deleted

        if not await self._backend.write(work):
            raise _not_found(name)


def _put(connection: Connection, rows: list[dict[str, object]]) -> None:
    statement = insert(connection, table)
    replaced = {column: statement.excluded[column] for column in rows[0] if column != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.name], set_=replaced), rows)
    advance_generation(connection)


def _row(value: ReferenceValue) -> dict[str, object]:
    try:
        text = json.dumps(value.value, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        raise FormatError(
            "expected a JSON value", what="reference value", field="value", detail="json"
        ) from None
    return {
        "name": require_text(value.name, what="reference value", field="name"),
        "value": text,
        "expires_at": value.expires_at,
        "created_at": value.created_at,
        "created_by": storable(value.created_by),
    }


def _value(row: Sequence[Any]) -> ReferenceValue:
    return ReferenceValue(row[0], json.loads(row[1]), *row[2:])


def _not_found(name: str) -> ResourceNotFound:
    return ResourceNotFound(f"there is no reference value {name[:128]!r}")
