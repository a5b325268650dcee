"""Keys that wrap the keys of images, by id, in versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from eaa.broker.records import Key, KeyInfo
from eaa.errors import ResourceNotFound
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import from_microseconds, require_text, storable
from eaa.storage.database.sealer import Sealer
from eaa.storage.database.tables import keys as table
from eaa.storage.database.versions import put_sealed

__all__ = ["DatabaseKeys"]

_SCOPE = "key"
_DESTROYED = table.c.sealed.is_(None).label("destroyed")
_INFO = (table.c.kid, table.c.version, table.c.bits, _DESTROYED, table.c.created_at, table.c.created_by)
_WITH_MATERIAL = select(*_INFO, table.c.sealed).where(table.c.kid == bindparam("kid"))
_NEWEST = Lookup(_WITH_MATERIAL.order_by(table.c.version.desc()).limit(1))
_EXACT = Lookup(_WITH_MATERIAL.where(table.c.version == bindparam("version")))


class DatabaseKeys:
    """:class:`eaa.broker.ports.Keys` in a database; material is sealed."""

    def __init__(self, backend: Backend, sealer: Sealer) -> None:
        self._backend = backend
        self._sealer = sealer
        self._putting = asyncio.Lock()

    async def put(self, kid: str, material: bytes, *, by: str, now: datetime) -> KeyInfo:
        bits = len(material) * 8

        def keep(connection: Connection, version: int, sealed: bytes) -> None:
            connection.execute(
                table.insert().values(
                    kid=kid,
                    version=version,
                    bits=bits,
                    created_at=now,
                    created_by=storable(by),
                    sealed=sealed,
                )
            )

        async def seal(version: int) -> bytes:
            return await self._sealer.seal(material, context=_context(kid, version))

        async with self._putting:
            version = await put_sealed(self._backend, _SCOPE, kid, seal, keep)
        return KeyInfo(kid, version, bits, False, now, by)

    async def read(self, kid: str, *, version: int | None = None) -> Key:
        query = _NEWEST if version is None else _EXACT
        row = await self._backend.lookup(query, {"kid": kid, "version": version})
        if row is None or row[6] is None:
            raise _not_found(kid, version)
        material = await self._sealer.open(row[6], context=_context(kid, row[1]))
        return Key(KeyInfo(kid, row[1], row[2], False, from_microseconds(row[4]), row[5]), material)

    async def list(self, *, after: str = "", limit: int = 1000) -> Sequence[KeyInfo]:
        others = table.alias()
        newest = select(func.max(others.c.version)).where(others.c.kid == table.c.kid).scalar_subquery()
        query = select(*_INFO).where(table.c.version == newest).order_by(table.c.kid).limit(limit)
        if after:
            query = query.where(table.c.kid > require_text(after, what="listing", field="after"))
        return [_info(row) for row in await self._backend.rows(query)]

    async def versions(self, kid: str) -> Sequence[KeyInfo]:
        query = select(*_INFO).where(table.c.kid == kid).order_by(table.c.version.desc())
        return [_info(row) for row in await self._backend.rows(query)]

    async def destroy(self, kid: str, *, version: int | None = None) -> None:
        statement = update(table).where(table.c.kid == kid).values(sealed=None)
        if version is not None:
            statement = statement.where(table.c.version == version)
        if not await self._backend.write(lambda connection: connection.execute(statement).rowcount):
            raise _not_found(kid, version)


def _context(kid: str, version: int) -> bytes:
    return f"{_SCOPE}/{kid}@{version}".encode()


def _info(row: Sequence[Any]) -> KeyInfo:
    return KeyInfo(*row)


def _not_found(kid: str, version: int | None) -> ResourceNotFound:
    which = "any version" if version is None else f"version {version}"
    return ResourceNotFound(f"there is no key {kid} with {which} that is not destroyed")
