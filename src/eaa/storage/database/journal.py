"""Sessions and decisions on their way into the database: the writes of every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, Table, delete

from eaa.errors import StorageError
from eaa.storage.database.backend import Backend
from eaa.storage.database.group_commit import GroupCommit
from eaa.storage.database.inserts import Values, insert_new
from eaa.storage.database.tables import decisions, sessions

__all__ = ["Entry", "Journal"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision, and the session that it spends, if it does: their rows, which begin with their ids."""

    decision: Values
    session: Values | None = None


class _Outcome(Enum):
    KEPT = 0
    SPENT = 1
    DUPLICATE = 2


class Journal:
    """Writes entries in groups; each is kept whole or not at all, whatever becomes of the others."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._group = GroupCommit[Entry, _Outcome](self._commit)

    async def write(self, entry: Entry) -> bool:
        """Whether it was kept; if not, there is a session of its id already.

        Raises:
            StorageError: ``storage.duplicate``: there is a decision of its id already;
                or what the database raises.
        """
        outcome = await self._group.submit(entry)
        if outcome is _Outcome.DUPLICATE:
            raise StorageError("there is a decision of this id already", detail="duplicate")
        return outcome is _Outcome.KEPT

    async def close(self) -> None:
        """Wait for what came before."""
        await self._group.close()

    async def _commit(self, entries: Sequence[Entry]) -> Sequence[_Outcome]:
        return await self._backend.write(lambda connection: _write(connection, entries))


def _write(connection: Connection, entries: Sequence[Entry]) -> list[_Outcome]:
    """One transaction: the sessions that are new, and the decisions of those and of who spends none."""
    new_sessions = _insert(connection, sessions, {at: e.session for at, e in enumerate(entries) if e.session})
    spent = {at for at, e in enumerate(entries) if e.session} - new_sessions
    wanted = {at: e.decision for at, e in enumerate(entries) if at not in spent}
    duplicates = wanted.keys() - _insert(connection, decisions, wanted)
    undone = [entries[at].session for at in duplicates & new_sessions]
    if undone:
        connection.execute(delete(sessions).where(sessions.c.id.in_([row[0] for row in undone if row])))
    return [
        _Outcome.SPENT if at in spent else _Outcome.DUPLICATE if at in duplicates else _Outcome.KEPT
        for at in range(len(entries))
    ]


def _insert(connection: Connection, table: Table, rows: Mapping[int, Values]) -> set[int]:
    """The places of the ``rows`` that are kept: new in the table, and the first of their id among themselves.

    In order of id, so that two transactions never wait for each other in a circle.
    """
    first: dict[object, int] = {}
    for at, row in rows.items():
        first.setdefault(row[0], at)
    new = insert_new(connection, table, [rows[first[key]] for key in sorted(first, key=str)])
    return {first[key] for key in new}
