"""Which challenges were used, and what came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select

from eaa.broker.records import Decision, Session
from eaa.errors import SessionError
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import from_microseconds, require_text, storable, to_microseconds
from eaa.storage.database.decisions import decision_row
from eaa.storage.database.journal import Entry, Journal
from eaa.storage.database.pruning import prune
from eaa.storage.database.sealer import Sealer
from eaa.storage.database.tables import sessions as table

__all__ = ["DatabaseSessions"]

_BY_ID = Lookup(select(table.c.expires_at, table.c.sealed_token).where(table.c.id == bindparam("id")))


class DatabaseSessions:
    """:class:`eaa.broker.ports.Sessions` in a database; tokens are sealed."""

    def __init__(self, backend: Backend, journal: Journal, sealer: Sealer) -> None:
        self._backend = backend
        self._journal = journal
        self._sealer = sealer

    async def spend(self, session: Session, decision: Decision) -> None:
        require_text(session.id, what="session", field="id")
        sealed = None
        if session.token is not None:
            sealed = await self._sealer.seal(session.token.encode(), context=_context(session.id))
        row = (session.id, to_microseconds(session.expires_at), sealed)
        if not await self._journal.write(Entry(decision_row(decision), row)):
            raise SessionError("this session was used already", detail="spent")

    async def read(self, session_id: str) -> Session | None:
        if storable(session_id) != session_id:
            return None
        row = await self._backend.lookup(_BY_ID, {"id": session_id})
        if row is None:
            return None
        expires_at, sealed = row
        token = None
        if sealed is not None:
            token = (await self._sealer.open(sealed, context=_context(session_id))).decode()
        return Session(session_id, token, from_microseconds(expires_at))

    async def prune(self, now: datetime) -> int:
        return await prune(self._backend, table, table.c.expires_at <= now)


def _context(session_id: str) -> bytes:
    return f"session/{session_id}".encode()
