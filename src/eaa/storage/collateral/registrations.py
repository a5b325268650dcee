"""Platforms that asked to be registered, and appraisal policies: what administrators fetch and put."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple

from sqlalchemy import Connection, select, update

from eaa.storage.collateral.records import Registration, RegistrationState
from eaa.storage.collateral.tables import appraisal_policies
from eaa.storage.collateral.tables import registrations as table
from eaa.storage.database.backend import Backend
from eaa.storage.database.columns import require_text
from eaa.storage.database.inserts import insert

__all__ = ["AppraisalPolicies", "Registrations"]

_KEY = ["qe_id", "pce_id", "cpu_svn", "pce_svn", "manifest_sha256"]
_COLUMNS = (
    table.c.qe_id, table.c.pce_id, table.c.cpu_svn, table.c.pce_svn, table.c.enc_ppid, table.c.manifest,
)  # fmt: skip


class Registrations:
    """A queue: what an administrator has taken is marked, and not given out again."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def put(self, items: Sequence[Registration], state: RegistrationState) -> None:
        rows = [_row(item, state) for item in items]
        if not rows:
            return

        def work(connection: Connection) -> None:
            for row in rows:
                statement = insert(connection, table).values(row)
                replaced = {column: statement.excluded[column] for column in row if column not in _KEY}
                connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=replaced))

        await self._backend.write(work)

    async def done(self, item: Registration) -> None:
        """It is no longer in :attr:`RegistrationState.NEW`, if it was."""
        row = _row(item, RegistrationState.NEW)
        statement = (
            update(table)
            .where(*(table.c[name] == row[name] for name in (*_KEY, "state")))
            .values(state=RegistrationState.DELETED)
        )
        await self._backend.write(lambda connection: connection.execute(statement))

    async def take(self, state: RegistrationState) -> Sequence[Registration]:
        """Those in ``state``, which are in :attr:`RegistrationState.DELETED` afterwards."""

        def work(connection: Connection) -> list[Registration]:
            # One statement: who registers meanwhile is not marked without being given out.
            statement = update(table).where(table.c.state == state)
            found = connection.execute(statement.values(state=RegistrationState.DELETED).returning(*_COLUMNS))
            return [Registration(*row) for row in found]

        return sorted(await self._backend.write(work), key=astuple)


class AppraisalPolicies:
    """Default policies by FMSPC, opaque to the service."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def put(self, identifier: str, fmspc: str, kind: int, is_default: bool, policy: str) -> None:
        """Keep ``policy``; a new default of an FMSPC takes the place of the one that was."""
        at = appraisal_policies.c
        row = {
            "id": identifier, "fmspc": fmspc, "type": kind, "is_default": is_default,
            "policy": require_text(policy, what="appraisal policy", field="policy"),
        }  # fmt: skip

        def work(connection: Connection) -> None:
            if is_default:
                connection.execute(
                    update(appraisal_policies)
                    .where(at.fmspc == fmspc, at.is_default.is_(True))
                    .values(is_default=False)
                )
            statement = insert(connection, appraisal_policies).values(row)
            replaced = {column: statement.excluded[column] for column in row if column != "id"}
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=replaced))

        await self._backend.write(work)

    async def defaults(self, fmspc: str) -> Sequence[str]:
        at = appraisal_policies.c
        query = select(at.policy).where(at.fmspc == fmspc, at.is_default.is_(True)).order_by(at.id)
        return [row[0] for row in await self._backend.rows(query)]


def _row(item: Registration, state: RegistrationState) -> dict[str, object]:
    return {
        "qe_id": require_text(item.qe_id, what="registration", field="qe_id"),
        "pce_id": item.pce_id, "cpu_svn": item.cpu_svn, "pce_svn": item.pce_svn,
        "manifest_sha256": hashlib.sha256(item.platform_manifest.encode()).hexdigest(),
        "state": int(state), "enc_ppid": item.enc_ppid,
        "manifest": require_text(item.platform_manifest, what="registration", field="platform_manifest"),
    }  # fmt: skip
