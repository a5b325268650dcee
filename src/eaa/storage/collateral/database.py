"""The database of a caching service: opened, migrated, and divided into what is kept."""

from __future__ import annotations

from sqlalchemy import literal, select

from eaa.storage.collateral.documents import Documents
from eaa.storage.collateral.leases import Leases
from eaa.storage.collateral.platforms import Platforms
from eaa.storage.collateral.registrations import AppraisalPolicies, Registrations
from eaa.storage.database.backend import Backend
from eaa.storage.database.location import backend_of
from eaa.storage.database.migrate import Schema, require_current, upgrade

__all__ = ["COLLATERAL", "CollateralDatabase"]

#: Its tables may be beside the broker's in one database.
COLLATERAL = Schema("eaa.storage.collateral:migrations", "collateral_alembic_version", 0x656161_63)  # "eaac"


class CollateralDatabase:
    """What a method that writes has returned from is committed and synced to disk."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.documents = Documents(backend)
        self.platforms = Platforms(backend)
        self.registrations = Registrations(backend)
        self.appraisal_policies = AppraisalPolicies(backend)
        self.leases = Leases(backend)

    @classmethod
    async def open(cls, url: str, *, migrate: bool = True) -> CollateralDatabase:
        """Open the database at ``url`` (:func:`eaa.storage.database.location.backend_of`).

        It belongs to the event loop that runs.

        Raises:
            ConfigError: of the URL, or ``config.database_schema``.
            StorageError: it cannot be reached.
        """
        backend = backend_of(url)
        try:
            await (
                upgrade(backend, schema=COLLATERAL)
                if migrate
                else require_current(backend, schema=COLLATERAL)
            )
        except BaseException:
            await backend.close()
            raise
        return cls(backend)

    async def ping(self) -> None:
        """Raises ``StorageError`` unless the database answers."""
        await self._backend.rows(select(literal(1)))

    async def close(self) -> None:
        """Give everything back. May be called twice."""
        await self._backend.close()
