"""The columns that most tables have: none of them is ever null."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

from eaa.storage.database.columns import ORDERED_TEXT, Instant

__all__ = ["generation_columns", "instant", "integer", "key", "octets", "ordered", "text"]


def key(name: str) -> Column[str]:
    """Text that is a part of the primary key, compared by code point."""
    return Column(name, ORDERED_TEXT, primary_key=True)


def ordered(name: str) -> Column[str]:
    """Text that is compared by code point."""
    return Column(name, ORDERED_TEXT, nullable=False)


def text(name: str) -> Column[str]:
    """Text that nothing is found by."""
    return Column(name, Text, nullable=False)


def octets(name: str) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=False)


def integer(name: str) -> Column[int]:
    """A number of 32 bits."""
    return Column(name, Integer, nullable=False)


def instant(name: str) -> Column[object]:
    """A time."""
    return Column(name, Instant, nullable=False)


def generation_columns() -> tuple[Column[int], Column[int]]:
    """Of a table with one row, whose number is raised by each change."""
    return (
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("value", BigInteger, nullable=False),
    )
