"""Documents by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from eaa.storage.collateral.records import Document
from eaa.storage.collateral.refresh import first_due
from eaa.storage.collateral.tables import documents as table
from eaa.storage.collateral.tables import generation as generation_table
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import from_microseconds, require_text
from eaa.storage.database.inserts import insert

__all__ = ["Documents", "advance_generation", "write_document"]

#: Whether a document may take the place of what is there, if anything is; it raises if not.
Accept = Callable[[Document | None], None]

_COLUMNS = (
    table.c.name, table.c.body, table.c.chain, table.c.number, table.c.issued_at, table.c.expires_at,
    table.c.fetched_at, table.c.refresh_at, table.c.failures,
)  # fmt: skip
_ALL = select(*_COLUMNS)
_HEADS = select(*(column for column in _COLUMNS if column is not table.c.body))
_ONE = Lookup(select(*_COLUMNS).where(table.c.name == bindparam("name")))
_GENERATION = Lookup(select(generation_table.c.value))


class Documents:
    """All that is served but PCK certificates."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def read(self, name: str) -> Document | None:
        row = await self._backend.lookup(_ONE, {"name": require_text(name, what="document", field="name")})
        return None if row is None else _from_driver(row)

    async def put(self, document: Document, accept: Accept) -> None:
        """Keep ``document`` in place of one of its name, if ``accept`` does not raise.

        Nobody can put another between the two.
        """
        await self._backend.write(lambda connection: _put(connection, document, accept))

    async def failed(self, name: str, refresh_at: datetime) -> None:
        """Fetching it anew failed; it is due again at ``refresh_at``."""
        statement = (
            update(table)
            .where(table.c.name == name)
            .values(refresh_at=refresh_at, failures=table.c.failures + 1)
        )
        await self._backend.write(lambda connection: connection.execute(statement))

    async def due(self, now: datetime, limit: int) -> Sequence[Document]:
        """Those that are to be fetched anew by ``now``, the longest due first."""
        query = _ALL.where(table.c.refresh_at <= now).order_by(table.c.refresh_at).limit(limit)
        return [Document(*row) for row in await self._backend.rows(query)]

    async def next_due(self) -> datetime | None:
        """When the next is due, if there is any."""
        return await first_due(self._backend, table)

    async def heads(self) -> Sequence[Document]:
        """All of them in order of name, without their bodies."""
        rows = await self._backend.rows(_HEADS.order_by(table.c.name))
        return [Document(row[0], b"", *row[1:]) for row in rows]

    async def names(self, prefix: str) -> Sequence[str]:
        """Those that begin with ``prefix``."""
        query = select(table.c.name).where(table.c.name.startswith(prefix, autoescape=True))
        return [row[0] for row in await self._backend.rows(query.order_by(table.c.name))]

    async def delete(self, name: str) -> bool:
        """Whether it was there."""

        def work(connection: Connection) -> bool:
            found = connection.execute(delete(table).where(table.c.name == name)).rowcount == 1
            if found:
                advance_generation(connection)
            return found

        return await self._backend.write(work)

    async def generation(self) -> int:
        """A number that is raised by every change of what is served."""
        row = await self._backend.lookup(_GENERATION, {})
        return 0 if row is None else int(row[0])


def write_document(connection: Connection, document: Document, accept: Accept) -> None:
    """Part of a transaction: :meth:`Documents.put`."""
    row = connection.execute(_ALL.where(table.c.name == document.name).with_for_update()).first()
    accept(None if row is None else Document(*row))
    values = {
        "name": document.name, "body": document.body, "chain": document.chain,
        "number": document.number,
        "issued_at": document.issued_at, "expires_at": document.expires_at,
        "fetched_at": document.fetched_at, "refresh_at": document.refresh_at,
        "failures": document.failures,
    }  # fmt: skip
    statement = insert(connection, table).values(values)
    replaced = {column: statement.excluded[column] for column in values if column != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.name], set_=replaced))


def advance_generation(connection: Connection) -> None:
    """Part of a transaction that changes what is served."""
    connection.execute(update(generation_table).values(value=generation_table.c.value + 1))


def _put(connection: Connection, document: Document, accept: Accept) -> None:
    advance_generation(connection)  # first: who puts the same name waits here, and then sees this one
    write_document(connection, document, accept)


def _from_driver(row: Sequence[Any]) -> Document:
    name, body, chain, number, issued, expires, fetched, refresh, failures = row
    return Document(
        name, bytes(body), chain, number, from_microseconds(issued), from_microseconds(expires),
        from_microseconds(fetched), from_microseconds(refresh), failures,
    )  # fmt: skip
