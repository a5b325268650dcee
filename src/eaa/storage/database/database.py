"""The database of a service: opened, migrated, and divided into what the broker's ports ask for."""

from __future__ import annotations

from sqlalchemy import literal, select

from eaa.storage.database.backend import Backend
from eaa.storage.database.data_keys import DatabaseDataKeys
from eaa.storage.database.decisions import DatabaseDecisionLog
from eaa.storage.database.journal import Journal
from eaa.storage.database.keys import DatabaseKeys
from eaa.storage.database.location import backend_of
from eaa.storage.database.migrate import require_current, upgrade
from eaa.storage.database.policies import DatabasePolicies
from eaa.storage.database.references import DatabaseReferenceValues
from eaa.storage.database.resources import DatabaseResources
from eaa.storage.database.sealer import Sealer
from eaa.storage.database.service_keys import DatabaseServiceKeys
from eaa.storage.database.sessions import DatabaseSessions

__all__ = ["ConnectedDatabase", "Database"]


class ConnectedDatabase:
    """A database whose tables are as this code knows them; only its data keys can be read yet."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.data_keys = DatabaseDataKeys(backend)

    @classmethod
    async def connect(cls, url: str, *, migrate: bool = True) -> ConnectedDatabase:
        """Open the database at ``url`` (:func:`eaa.storage.database.location.backend_of`).

        It belongs to the event loop that runs. With ``migrate`` older tables are brought up to date, and a
        new database is filled with empty ones.

        Raises:
            ConfigError: of the URL, or ``config.database_schema``: the tables are newer than this code, or
                older and ``migrate`` is false.
            StorageError: it cannot be reached.
        """
        backend = backend_of(url)
        try:
            await (upgrade(backend) if migrate else require_current(backend))
        except BaseException:
            await backend.close()
            raise
        return cls(backend)

    def with_sealer(self, sealer: Sealer) -> Database:
        """All of it, once there is what seals. Close only one of both."""
        return Database(self, sealer)

    async def ping(self) -> None:
        """Raises ``StorageError`` unless the database answers."""
        await self.backend.rows(select(literal(1)))

    async def close(self) -> None:
        """Give everything back. May be called twice."""
        await self.backend.close()


class Database:
    """What the broker keeps. Each attribute implements a port of :mod:`eaa.broker.ports`.

    What a method that writes has returned from is committed and synced to disk. Those of ``sessions`` and
    ``decisions`` that are called while a commit is under way share the next one.
    """

    def __init__(self, connected: ConnectedDatabase, sealer: Sealer) -> None:
        backend = connected.backend
        self._connected = connected
        self._journal = Journal(backend)
        self.data_keys = connected.data_keys
        self.resources = DatabaseResources(backend, sealer)
        self.keys = DatabaseKeys(backend, sealer)
        self.policies = DatabasePolicies(backend)
        self.references = DatabaseReferenceValues(backend)
        self.sessions = DatabaseSessions(backend, self._journal, sealer)
        self.decisions = DatabaseDecisionLog(backend, self._journal)
        self.service_keys = DatabaseServiceKeys(backend, sealer)

    @classmethod
    async def open(cls, url: str, sealer: Sealer, *, migrate: bool = True) -> Database:
        """:meth:`ConnectedDatabase.connect` for a sealer that needs no database."""
        return (await ConnectedDatabase.connect(url, migrate=migrate)).with_sealer(sealer)

    async def ping(self) -> None:
        """Raises ``StorageError`` unless the database answers."""
        await self._connected.ping()

    async def close(self) -> None:
        """Write what waits, then give everything back. May be called twice."""
        try:
            await self._journal.close()
        finally:
            await self._connected.close()
