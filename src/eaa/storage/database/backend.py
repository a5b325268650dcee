"""What the tables need of a database, and what both kinds of database have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Executable, Select

from eaa.errors import StorageError

__all__ = ["Backend", "Lookup", "Statement", "closed"]

T = TypeVar("T")


class Lookup:
    """A query for at most one row by its key, compiled once: what is asked for at every request.

    Its parameters are named. Rows are as the driver gives them: times are integers of microseconds.
    """

    __slots__ = ("select",)

    def __init__(self, select: Select[Any]) -> None:
        self.select = select

    def compiled(self, dialect: Dialect) -> Statement:
        """For a driver that takes parameters by their place."""
        compiled = self.select.compile(dialect=dialect)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return Statement(str(compiled), tuple(compiled.positiontup or ()), constants)


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a :class:`Lookup` for one driver, with the names of its parameters in order."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, object]

    def arguments(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """``values`` in order."""
        given = {**self.constants, **values}
        return tuple(given[name] for name in self.names)


class Backend(Protocol):
    """One database. ``work`` is one transaction: it may run in another thread, and again until it is durable.

    Raises:
        StorageError: from each method; what ``work`` raises on purpose comes through as it is.
    """

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returns, after it is durable; nothing of it happened if it raises."""
        ...

    async def rows(self, query: Executable) -> Sequence[Sequence[Any]]:
        """All rows of one statement that only reads."""
        ...

    async def lookup(self, query: Lookup, values: Mapping[str, object]) -> Sequence[Any] | None:
        """The row, if there is one."""
        ...

    async def close(self) -> None:
        """Give everything back. May be called twice."""
        ...


def closed() -> StorageError:
    """What is raised after :meth:`Backend.close`."""
    return StorageError("the database was closed", detail="closed")
