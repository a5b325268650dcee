"""Keys of the service itself, shared by all replicas."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select

from eaa.broker.records import ServiceKey
from eaa.storage.database.backend import Backend
from eaa.storage.database.columns import require_text
from eaa.storage.database.inserts import insert_if_absent
from eaa.storage.database.sealer import Sealer
from eaa.storage.database.tables import service_keys as table

__all__ = ["DatabaseServiceKeys"]


class DatabaseServiceKeys:
    """:class:`eaa.broker.ports.ServiceKeys` in a database; material is sealed."""

    def __init__(self, backend: Backend, sealer: Sealer) -> None:
        self._backend = backend
        self._sealer = sealer

    async def add(self, key: ServiceKey, *, only_first: bool = False) -> bool:
        row = {
            "purpose": require_text(key.purpose, what="service key", field="purpose"),
            "kid": require_text(key.kid, what="service key", field="kid"),
            "active_from": key.active_from,
            "retired_at": key.retired_at,
            "chain": json.dumps([b64encode(certificate).decode() for certificate in key.certificate_chain]),
            "sealed": await self._sealer.seal(key.material, context=_context(key.purpose, key.kid)),
        }
        unless = select(table.c.kid).where(table.c.purpose == key.purpose) if only_first else None

        def work(connection: Connection) -> bool:
            return insert_if_absent(connection, table, row, unless=unless)

        return await self._backend.write(work)

    async def of(self, purpose: str) -> Sequence[ServiceKey]:
        query = select(table.c.kid, table.c.sealed, table.c.chain, table.c.active_from, table.c.retired_at)
        query = query.where(table.c.purpose == require_text(purpose, what="service key", field="purpose"))
        rows = await self._backend.rows(query.order_by(table.c.active_from.desc(), table.c.kid))
        return [
            ServiceKey(
                purpose=purpose,
                kid=kid,
                material=await self._sealer.open(sealed, context=_context(purpose, kid)),
                certificate_chain=tuple(b64decode(certificate) for certificate in json.loads(chain)),
                active_from=active_from,
                retired_at=retired_at,
            )
            for kid, sealed, chain, active_from, retired_at in rows
        ]

    async def prune(self, now: datetime) -> int:
        statement = delete(table).where(table.c.retired_at <= now)
        return await self._backend.write(lambda connection: connection.execute(statement).rowcount)


def _context(purpose: str, kid: str) -> bytes:
    return f"service_key/{purpose}/{kid}".encode()
