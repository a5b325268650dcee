"""Numbers of versions: each name counts from 1, and no number comes twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select

from eaa.errors import StorageError
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.inserts import insert
from eaa.storage.database.tables import version_counters as counters

__all__ = ["ATTEMPTS", "next_version", "put_sealed", "take_version"]

#: How often a put is begun anew because another process took the number.
ATTEMPTS = 100

_LAST = Lookup(
    select(counters.c.last).where(
        counters.c.scope == bindparam("scope"), counters.c.name == bindparam("name")
    )
)
T = TypeVar("T")


class _NumberTaken(Exception):
    """Another put of the same name was faster."""


def take_version(connection: Connection, scope: str, name: str) -> int:
    """The next number of ``name``, taken in this transaction; others of that name wait for its end."""
    statement = insert(connection, counters).values(scope=scope, name=name, last=1)
    statement = statement.on_conflict_do_update(
        index_elements=[counters.c.scope, counters.c.name], set_={"last": counters.c.last + 1}
    )
    return int(connection.execute(statement.returning(counters.c.last)).scalar_one())


async def next_version(backend: Backend, scope: str, name: str) -> int:
    """The number that the next put of ``name`` takes if no other is faster."""
    row = await backend.lookup(_LAST, {"scope": scope, "name": name})
    return 1 if row is None else row[0] + 1


async def put_sealed(
    backend: Backend,
    scope: str,
    name: str,
    seal: Callable[[int], Awaitable[T]],
    keep: Callable[[Connection, int, T], None],
) -> int:
    """Seal for the next version, then take its number and keep it in one transaction.

    Sealing binds the number and may take long, so that it is done before the transaction, for the number that
    is expected; if another process takes that, it is done again.

    Raises:
        StorageError: ``storage.conflict`` after :data:`ATTEMPTS`.
    """
    for _ in range(ATTEMPTS):
        version = await next_version(backend, scope, name)
        sealed = await seal(version)
        try:
            await backend.write(lambda connection: _keep(connection, scope, name, version, sealed, keep))  # noqa: B023 - awaited here
        except _NumberTaken:
            continue
        return version
    raise StorageError(f"{ATTEMPTS} others wrote the same at the same time", detail="conflict")


def _keep(
    connection: Connection,
    scope: str,
    name: str,
    version: int,
    sealed: T,
    keep: Callable[[Connection, int, T], None],
) -> None:
    if take_version(connection, scope, name) != version:
        raise _NumberTaken
    keep(connection, version, sealed)
