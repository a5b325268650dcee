"""Secrets by path, in versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, true, update

from eaa.broker.names import ResourcePath
from eaa.broker.records import Resource, ResourceInfo
from eaa.errors import ConflictError, ResourceNotFound
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import from_microseconds, require_text, storable
from eaa.storage.database.sealer import Sealer
from eaa.storage.database.tables import resources as table
from eaa.storage.database.versions import put_sealed

__all__ = ["DatabaseResources"]

_SCOPE = "resource"
_INFO = (table.c.path, table.c.version, table.c.size, table.c.enabled, table.c.created_at, table.c.created_by)
_WITH_CONTENT = select(*_INFO, table.c.sealed).where(table.c.path == bindparam("path"), table.c.enabled)
_NEWEST = Lookup(_WITH_CONTENT.order_by(table.c.version.desc()).limit(1))
_EXACT = Lookup(_WITH_CONTENT.where(table.c.version == bindparam("version")))
#: Sorts after everything that continues a prefix.
_LAST_CHARACTER = "\U0010ffff"


class DatabaseResources:
    """:class:`eaa.broker.ports.Resources` in a database; contents are sealed."""

    def __init__(self, backend: Backend, sealer: Sealer) -> None:
        self._backend = backend
        self._sealer = sealer
        self._putting = asyncio.Lock()

    async def put(
        self,
        path: ResourcePath,
        content: bytes,
        *,
        by: str,
        now: datetime,
        expected_version: int | None = None,
    ) -> ResourceInfo:
        name = str(path)

        def keep(connection: Connection, version: int, sealed: bytes) -> None:
            if expected_version is not None:
                _require_newest(connection, name, expected_version)
            connection.execute(
                table.insert().values(
                    path=name,
                    version=version,
                    size=len(content),
                    enabled=True,
                    created_at=now,
                    created_by=storable(by),
                    sealed=sealed,
                )
            )

        async def seal(version: int) -> bytes:
            return await self._sealer.seal(content, context=_context(name, version))

        async with self._putting:
            version = await put_sealed(self._backend, _SCOPE, name, seal, keep)
        return ResourceInfo(path, version, len(content), True, now, by)

    async def read(self, path: ResourcePath, *, version: int | None = None) -> Resource:
        name = str(path)
        query = _NEWEST if version is None else _EXACT
        row = await self._backend.lookup(query, {"path": name, "version": version})
        if row is None:
            raise _not_found(path, version)
        content = await self._sealer.open(row[6], context=_context(name, row[1]))
        info = ResourceInfo(path, row[1], row[2], True, from_microseconds(row[4]), row[5])
        return Resource(info, content)

    async def list(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> Sequence[ResourceInfo]:
        others = table.alias()
        newest = select(func.max(others.c.version)).where(others.c.path == table.c.path).scalar_subquery()
        query = select(*_INFO).where(table.c.version == newest).order_by(table.c.path).limit(limit)
        if after:
            query = query.where(table.c.path > require_text(after, what="listing", field="after"))
        if prefix:
            first = require_text(prefix, what="listing", field="prefix")
            query = query.where(table.c.path >= first, table.c.path < first + _LAST_CHARACTER)
        return [_info(row) for row in await self._backend.rows(query)]

    async def versions(self, path: ResourcePath) -> Sequence[ResourceInfo]:
        query = select(*_INFO).where(table.c.path == str(path)).order_by(table.c.version.desc())
        return [_info(row) for row in await self._backend.rows(query)]

    async def set_enabled(self, path: ResourcePath, enabled: bool, *, version: int | None = None) -> None:
        statement = update(table).where(_which(path, version)).values(enabled=enabled)
        if not await self._backend.write(lambda connection: connection.execute(statement).rowcount):
            raise _not_found(path, version)

    async def delete(self, path: ResourcePath, *, version: int | None = None) -> None:
        statement = delete(table).where(_which(path, version))
        if not await self._backend.write(lambda connection: connection.execute(statement).rowcount):
            raise _not_found(path, version)


def _require_newest(connection: Connection, name: str, expected: int) -> None:
    """In a transaction that has taken a number, for which others that put the same wait."""
    newest = connection.execute(select(func.max(table.c.version)).where(table.c.path == name)).scalar() or 0
    if newest != expected:
        raise ConflictError(
            f"{name}: expected version {expected} to be the newest, it is {newest}",
            detail="version", expected=expected, came=newest,
        )  # fmt: skip


def _which(path: ResourcePath, version: int | None) -> ColumnElement[bool]:
    return (table.c.path == str(path)) & (true() if version is None else table.c.version == version)


def _context(path: str, version: int) -> bytes:
    return f"{_SCOPE}/{path}@{version}".encode()


def _info(row: Sequence[Any]) -> ResourceInfo:
    path, *rest = row
    return ResourceInfo(ResourcePath.parse(path), *rest)


def _not_found(path: ResourcePath, version: int | None) -> ResourceNotFound:
    which = "any version" if version is None else f"version {version}"
    return ResourceNotFound(f"there is no {path} with {which} that is enabled")
