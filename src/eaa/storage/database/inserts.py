"""Inserts of rows that may be there already."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["Values", "insert", "insert_if_absent", "insert_new"]

#: A row as the driver takes it, all columns in order: times are integers of microseconds.
Values = tuple[object, ...]


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that knows ``on_conflict…`` of the database it is for; both have the same."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_if_absent(
    connection: Connection, table: Table, row: dict[str, Any], *, unless: Select[Any] | None = None
) -> bool:
    """Whether ``row`` was inserted: not if its key is there, nor if ``unless`` finds a row.

    With ``unless`` other writers of the table wait for the end of this transaction.
    """
    if unless is not None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")
        if connection.execute(unless.limit(1)).first() is not None:
            return False
    statement = insert(connection, table).values(row).on_conflict_do_nothing()
    return connection.execute(statement).rowcount == 1


def insert_new(connection: Connection, table: Table, rows: Sequence[Values]) -> set[object]:
    """Insert those of ``rows`` whose key, their first value, is not there yet; the keys of those.

    No two of ``rows`` have the same key. At the level of the driver, which takes a third of the time.
    """
    if not rows:
        return set()
    if connection.dialect.name == "postgresql":
        keys = connection.exec_driver_sql(
            _from_arrays(table), tuple(list(column) for column in zip(*rows, strict=True))
        )
        return set(keys.scalars())
    statement = _one_row(table)
    cursor = connection.connection.cursor()
    new = set()
    for row in rows:
        cursor.execute(statement, row)
        if cursor.rowcount:
            new.add(row[0])
    cursor.close()
    return new


@cache
def _from_arrays(table: Table) -> str:
    """One statement for any number of rows, so that it is prepared once: each column is an array."""
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    arrays = ", ".join(
        f"${at}::{column.type.compile(dialect).split()[0]}[]" for at, column in enumerate(table.columns, 1)
    )
    return (
        f"INSERT INTO {table.name} ({_names(table)}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - our own names
        f"ON CONFLICT DO NOTHING RETURNING {table.columns[0].name}"
    )


@cache
def _one_row(table: Table) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - our own names


def _names(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)
