"""Platforms, their PCK certificates, and which of those is the best for which TCB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from eaa.storage.collateral.documents import advance_generation
from eaa.storage.collateral.records import PckCertificate, Platform, RawTcb, Served
from eaa.storage.collateral.refresh import first_due
from eaa.storage.collateral.tables import pck_certs, platform_tcbs
from eaa.storage.collateral.tables import platforms as table
from eaa.storage.database.backend import Backend, Lookup
from eaa.storage.database.columns import from_microseconds
from eaa.storage.database.inserts import insert

__all__ = ["Platforms"]

_COLUMNS = (
    table.c.qe_id, table.c.pce_id, table.c.fmspc, table.c.ca, table.c.enc_ppid, table.c.manifest,
    table.c.fetched_at, table.c.refresh_at, table.c.failures,
)  # fmt: skip
_ALL = select(*_COLUMNS)
_ONE = Lookup(_ALL.where(table.c.qe_id == bindparam("qe_id"), table.c.pce_id == bindparam("pce_id")))
_SERVED = Lookup(
    select(pck_certs.c.tcbm, pck_certs.c.der, table.c.fmspc, table.c.ca).where(
        platform_tcbs.c.qe_id == bindparam("qe_id"),
        platform_tcbs.c.pce_id == bindparam("pce_id"),
        platform_tcbs.c.cpu_svn == bindparam("cpu_svn"),
        platform_tcbs.c.pce_svn == bindparam("pce_svn"),
        pck_certs.c.qe_id == platform_tcbs.c.qe_id,
        pck_certs.c.pce_id == platform_tcbs.c.pce_id,
        pck_certs.c.tcbm == platform_tcbs.c.tcbm,
        table.c.qe_id == platform_tcbs.c.qe_id,
        table.c.pce_id == platform_tcbs.c.pce_id,
    )
)


class Platforms:
    """A platform is known by the id of its quoting enclave and that of its PCE."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def read(self, qe_id: str, pce_id: str) -> Platform | None:
        row = await self._backend.lookup(_ONE, {"qe_id": qe_id, "pce_id": pce_id})
        return None if row is None else _from_driver(row)

    async def served(self, qe_id: str, pce_id: str, cpu_svn: str, pce_svn: str) -> Served | None:
        """The certificate for this raw TCB, if it was chosen before."""
        values = {"qe_id": qe_id, "pce_id": pce_id, "cpu_svn": cpu_svn, "pce_svn": pce_svn}
        row = await self._backend.lookup(_SERVED, values)
        return None if row is None else Served(row[0], bytes(row[1]), row[2], row[3])

    async def certificates(self, qe_id: str, pce_id: str) -> Sequence[PckCertificate]:
        query = select(pck_certs.c.tcbm, pck_certs.c.der).where(
            pck_certs.c.qe_id == qe_id, pck_certs.c.pce_id == pce_id
        )
        rows = await self._backend.rows(query.order_by(pck_certs.c.tcbm.desc()))
        return [PckCertificate(row[0], row[1]) for row in rows]

    async def raw_tcbs(self, qe_id: str, pce_id: str) -> Sequence[RawTcb]:
        table = platform_tcbs
        query = select(table.c.cpu_svn, table.c.pce_svn, table.c.tcbm).where(
            table.c.qe_id == qe_id, table.c.pce_id == pce_id
        )
        return [RawTcb(*row) for row in await self._backend.rows(query)]

    async def put(
        self, platform: Platform, certificates: Sequence[PckCertificate], chosen: Sequence[RawTcb]
    ) -> None:
        """Keep ``platform`` with these certificates and choices, and no others."""

        def work(connection: Connection) -> None:
            _upsert(connection, table, ["qe_id", "pce_id"], _row(platform))
            key = {"qe_id": platform.qe_id, "pce_id": platform.pce_id}
            replaced = 0
            for child in (pck_certs, platform_tcbs):
                of_platform = child.c.qe_id == platform.qe_id, child.c.pce_id == platform.pce_id
                replaced += connection.execute(delete(child).where(*of_platform)).rowcount
            if replaced:  # nobody has anything of a platform that is new
                advance_generation(connection)
            rows = [key | {"tcbm": item.tcbm, "der": item.der} for item in certificates]
            if rows:
                connection.execute(pck_certs.insert(), rows)
            for item in chosen:
                _choose(connection, platform.qe_id, platform.pce_id, item)

        await self._backend.write(work)

    async def add(
        self, platform: Platform, certificates: Sequence[PckCertificate], chosen: Sequence[RawTcb]
    ) -> None:
        """Keep ``platform`` with these certificates and choices, and those that it has."""

        def work(connection: Connection) -> None:
            _upsert(connection, table, ["qe_id", "pce_id"], _row(platform))
            if _changes(connection, platform, certificates, chosen):
                advance_generation(connection)
            for item in certificates:
                row = {"qe_id": platform.qe_id, "pce_id": platform.pce_id, "tcbm": item.tcbm, "der": item.der}
                _upsert(connection, pck_certs, ["qe_id", "pce_id", "tcbm"], row)
            for chosen_item in chosen:
                _choose(connection, platform.qe_id, platform.pce_id, chosen_item)

        await self._backend.write(work)

    async def choose(self, qe_id: str, pce_id: str, item: RawTcb) -> None:
        """Remember which certificate is the best for a raw TCB."""
        await self._backend.write(lambda connection: _choose(connection, qe_id, pce_id, item))

    async def failed(self, qe_id: str, pce_id: str, refresh_at: datetime) -> None:
        """Fetching its certificates anew failed; they are due again at ``refresh_at``."""
        statement = (
            update(table)
            .where(table.c.qe_id == qe_id, table.c.pce_id == pce_id)
            .values(refresh_at=refresh_at, failures=table.c.failures + 1)
        )
        await self._backend.write(lambda connection: connection.execute(statement))

    async def due(self, now: datetime, limit: int) -> Sequence[Platform]:
        """Those whose certificates are to be fetched anew by ``now``, the longest due first."""
        query = _ALL.where(table.c.refresh_at <= now).order_by(table.c.refresh_at).limit(limit)
        return [Platform(*row) for row in await self._backend.rows(query)]

    async def next_due(self) -> datetime | None:
        """When the next is due, if there is any."""
        return await first_due(self._backend, table)

    async def of_fmspcs(self, fmspcs: Sequence[str]) -> Sequence[Platform]:
        """Of these FMSPCs, or all if there are none."""
        query = _ALL.order_by(table.c.qe_id, table.c.pce_id)
        if fmspcs:
            query = query.where(table.c.fmspc.in_(fmspcs))
        return [Platform(*row) for row in await self._backend.rows(query)]

    async def with_tcbs(self, fmspcs: Sequence[str]) -> Sequence[tuple[str, str, str, str, bytes, bytes]]:
        """QE id, PCE id, CPUSVN, PCESVN, encrypted PPID, manifest: each raw TCB of these FMSPCs, or all."""
        tcbs = platform_tcbs
        query = select(
            table.c.qe_id, table.c.pce_id, tcbs.c.cpu_svn, tcbs.c.pce_svn, table.c.enc_ppid, table.c.manifest
        ).where(table.c.qe_id == tcbs.c.qe_id, table.c.pce_id == tcbs.c.pce_id)
        if fmspcs:
            query = query.where(table.c.fmspc.in_(fmspcs))
        query = query.order_by(table.c.qe_id, table.c.pce_id, tcbs.c.cpu_svn, tcbs.c.pce_svn)
        return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in await self._backend.rows(query)]

    async def schedule(self, schedule: Sequence[tuple[str, str, datetime]]) -> None:
        """Set when the platforms, by QE id and PCE id, are due, unless they are due before."""
        statement = (
            update(table)
            .where(
                table.c.qe_id == bindparam("q"), table.c.pce_id == bindparam("p"),
                table.c.refresh_at > bindparam("at"),
            )
            .values(refresh_at=bindparam("at"))
        )  # fmt: skip
        rows = [{"q": qe_id, "p": pce_id, "at": at} for qe_id, pce_id, at in schedule]
        if rows:
            await self._backend.write(lambda connection: connection.execute(statement, rows))

    async def count(self) -> int:
        """How many there are."""
        rows = await self._backend.rows(select(func.count()).select_from(table))
        return int(rows[0][0])


def _changes(
    connection: Connection,
    platform: Platform,
    certificates: Sequence[PckCertificate],
    chosen: Sequence[RawTcb],
) -> bool:
    """Whether these certificates and choices take the place of others: somebody may have had those."""
    certs, tcbs = pck_certs.c, platform_tcbs.c
    key = platform.qe_id, platform.pce_id
    of_certs = select(certs.tcbm, certs.der).where(certs.qe_id == key[0], certs.pce_id == key[1])
    of_tcbs = select(tcbs.cpu_svn, tcbs.pce_svn, tcbs.tcbm).where(tcbs.qe_id == key[0], tcbs.pce_id == key[1])
    kept = {row.tcbm: row.der for row in connection.execute(of_certs)}
    best = {(cpu_svn, pce_svn): tcbm for cpu_svn, pce_svn, tcbm in connection.execute(of_tcbs)}
    return any(kept.get(item.tcbm, item.der) != item.der for item in certificates) or any(
        best.get((item.cpu_svn, item.pce_svn), item.tcbm) != item.tcbm for item in chosen
    )


def _choose(connection: Connection, qe_id: str, pce_id: str, item: RawTcb) -> None:
    row = {
        "qe_id": qe_id, "pce_id": pce_id, "cpu_svn": item.cpu_svn, "pce_svn": item.pce_svn,
        "tcbm": item.tcbm,
    }  # fmt: skip
    _upsert(connection, platform_tcbs, ["qe_id", "pce_id", "cpu_svn", "pce_svn"], row)


def _upsert(connection: Connection, into: Any, key: list[str], row: Mapping[str, object]) -> None:
    statement = insert(connection, into).values(row)
    replaced = {column: statement.excluded[column] for column in row if column not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=replaced))


def _row(platform: Platform) -> dict[str, object]:
    return {
        "qe_id": platform.qe_id, "pce_id": platform.pce_id, "fmspc": platform.fmspc, "ca": platform.ca,
        "fetched_at": platform.fetched_at, "refresh_at": platform.refresh_at, "failures": platform.failures,
        "enc_ppid": platform.enc_ppid, "manifest": platform.manifest,
    }  # fmt: skip


def _from_driver(row: Sequence[Any]) -> Platform:
    qe_id, pce_id, fmspc, ca, enc_ppid, manifest, fetched, refresh, failures = row
    return Platform(
        qe_id, pce_id, fmspc, ca, bytes(enc_ppid), bytes(manifest), from_microseconds(fetched),
        from_microseconds(refresh), failures,
    )  # fmt: skip
