"""Policies in versions, and the generation of what decides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from eaa.broker.records import Policy, PolicyKind
from eaa.errors import ConflictError, ResourceNotFound
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import require_text, storable
from eaa.storage.database.inserts import insert
from eaa.storage.database.tables import current_policies, generation, policies
from eaa.storage.database.versions import take_version

__all__ = ["DatabasePolicies", "advance_generation"]

_ALL = select(
    policies.c.kind, policies.c.id, policies.c.version, policies.c.text, policies.c.sha256,
    policies.c.created_at, policies.c.created_by,
)  # fmt: skip
_HOLDS = _ALL.join(
    current_policies,
    (current_policies.c.kind == policies.c.kind)
    & (current_policies.c.id == policies.c.id)
    & (current_policies.c.version == policies.c.version),
)
_GENERATION = Lookup(select(generation.c.value).where(generation.c.id == bindparam("id")))


def advance_generation(connection: Connection) -> None:
    """One more, in the transaction that changes a policy or a reference value."""
    connection.execute(update(generation).where(generation.c.id == 1).values(value=generation.c.value + 1))


class DatabasePolicies:
    """:class:`eaa.broker.ports.Policies` in a database."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def put(
        self,
        kind: PolicyKind,
        policy_id: str,
        text: str,
        *,
        by: str,
        now: datetime,
        expected_version: int | None = None,
    ) -> Policy:
        require_text(text, what="policy", field="text")
        digest = hashlib.sha256(text.encode()).hexdigest()
        return await self._backend.write(
            lambda connection: _put(
                connection, kind, policy_id, text, digest, by=by, now=now, expected=expected_version
            )
        )

    async def current(self, kind: PolicyKind) -> Sequence[Policy]:
        query = _HOLDS.where(current_policies.c.kind == kind.value).order_by(current_policies.c.id)
        return [_policy(row) for row in await self._backend.rows(query)]

    async def read(self, kind: PolicyKind, policy_id: str, *, version: int | None = None) -> Policy:
        query = _HOLDS if version is None else _ALL.where(policies.c.version == version)
        query = query.where(policies.c.kind == kind.value, policies.c.id == policy_id)
        rows = await self._backend.rows(query)
        if not rows:
            raise _not_found(kind, policy_id, version)
        return _policy(rows[0])

    async def history(self, kind: PolicyKind, policy_id: str) -> Sequence[Policy]:
        query = _ALL.where(policies.c.kind == kind.value, policies.c.id == policy_id)
        return [_policy(row) for row in await self._backend.rows(query.order_by(policies.c.version.desc()))]

    async def roll_back(
        self, kind: PolicyKind, policy_id: str, version: int, *, by: str, now: datetime
    ) -> Policy:
        old = await self.read(kind, policy_id, version=version)
        return await self.put(kind, policy_id, old.text, by=by, now=now)

    async def delete(self, kind: PolicyKind, policy_id: str) -> None:
        def work(connection: Connection) -> int:
            statement = delete(current_policies).where(
                current_policies.c.kind == kind.value, current_policies.c.id == policy_id
            )
            deleted = connection.execute(statement).rowcount
            if deleted:
                advance_generation(connection)
            return deleted

        if not await self._backend.write(work):
            raise _not_found(kind, policy_id, None)

    async def generation(self) -> int:
        row = await self._backend.lookup(_GENERATION, {"id": 1})
        assert row is not None, "the first migration makes the row"  # noqa: S101 - narrows the type
        return int(row[0])


def _put(
    connection: Connection,
    kind: PolicyKind,
    policy_id: str,
    text: str,
    digest: str,
    *,
    by: str,
    now: datetime,
    expected: int | None,
) -> Policy:
    # Others that put the same wait for the number, so that what holds is asked for afterwards.
    version = take_version(connection, f"policy/{kind.value}", policy_id)
    if expected is not None:
        holding = select(current_policies.c.version).where(
            current_policies.c.kind == kind.value, current_policies.c.id == policy_id
        )
        holds_now = connection.execute(holding).scalar_one_or_none() or 0
        if holds_now != expected:
            raise ConflictError(
                f"policy {kind.value}/{policy_id}: expected version {expected} to hold, it is {holds_now}",
                detail="version", expected=expected, came=holds_now,
            )  # fmt: skip
    connection.execute(
        policies.insert().values(
            kind=kind.value,
            id=policy_id,
            version=version,
            text=text,
            sha256=digest,
            created_at=now,
            created_by=storable(by),
        )
    )
    holds = insert(connection, current_policies).values(kind=kind.value, id=policy_id, version=version)
    connection.execute(
        holds.on_conflict_do_update(
            index_elements=[current_policies.c.kind, current_policies.c.id], set_={"version": version}
        )
    )
    advance_generation(connection)
    return Policy(kind, policy_id, version, text, digest, now, by)


def _policy(row: Sequence[Any]) -> Policy:
    kind, *rest = row
    return Policy(PolicyKind(kind), *rest)


def _not_found(kind: PolicyKind, policy_id: str, version: int | None) -> ResourceNotFound:
    which = "holds" if version is None else f"has version {version}"
    return ResourceNotFound(f"no {kind.value} policy {policy_id!r} {which}")
