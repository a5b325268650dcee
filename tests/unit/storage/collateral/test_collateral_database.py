"""What a caching service keeps, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from eaa.errors import ConfigError, EndorsementStale
from eaa.storage.collateral.database import COLLATERAL, CollateralDatabase
from eaa.storage.collateral.records import (
    Document,
    PckCertificate,
    Platform,
    RawTcb,
    Registration,
    RegistrationState,
    Served,
)
from eaa.storage.collateral.tables import metadata
from eaa.storage.database.database import ConnectedDatabase
from eaa.storage.database.location import backend_of
from eaa.storage.database.migrate import require_current
from tests.unit.storage.conftest import Run

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOCUMENT = Document("intel/x", b"\x00body", "chain", 7, NOW - HOUR, NOW + 9 * HOUR, NOW, NOW + HOUR)
PLATFORM = Platform("QE", "0000", "00906ED50000", "PLATFORM", b"ppid", b"", NOW, NOW + HOUR)
HIGH, LOW = PckCertificate("02" * 18, b"high"), PckCertificate("01" * 18, b"low")
RAW = RawTcb("02" * 16, "0202", HIGH.tcbm)


def _any(_: Document | None) -> None:
    """Whatever is there may be replaced."""


def test_the_tables_are_those_that_the_code_knows(run: Run, database: CollateralDatabase) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "version_table": COLLATERAL.version_table}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    assert run(database._backend.write(differences)) == []
    run(database.ping())


def test_the_brokers_tables_may_be_beside_them(run: Run, url: str, database: CollateralDatabase) -> None:
    async def work() -> None:
        await (await ConnectedDatabase.connect(url)).close()
        await (await CollateralDatabase.open(url, migrate=False)).close()

    run(work())


def test_without_tables_who_may_not_migrate_says_so(run: Run, url: str) -> None:
    async def work() -> None:
        backend = backend_of(url)
        try:
            await require_current(backend, schema=COLLATERAL)
        finally:
            await backend.close()

    with pytest.raises(ConfigError) as caught:
        run(work())
    assert caught.value.code == "config.database_schema"
    with pytest.raises(ConfigError):
        run(CollateralDatabase.open(url, migrate=False))


def test_documents(run: Run, database: CollateralDatabase, other: CollateralDatabase) -> None:
    async def work() -> None:
        documents = database.documents
        assert await documents.read("intel/x") is None
        assert await documents.next_due() is None
        generation = await other.documents.generation()
        await documents.put(DOCUMENT, _any)
        assert await other.documents.read("intel/x") == DOCUMENT
        assert await other.documents.generation() > generation
        newer = replace(DOCUMENT, body=b"newer", number=8, chain="")
        await documents.put(newer, _any)
        assert await other.documents.read("intel/x") == newer
        await documents.put(replace(DOCUMENT, name="intel/y", refresh_at=NOW), _any)
        assert [item.name for item in await documents.due(NOW, 9)] == ["intel/y"]
        assert [item.name for item in await documents.due(NOW + HOUR, 9)] == ["intel/y", "intel/x"]
        assert [item.name for item in await documents.due(NOW + HOUR, 1)] == ["intel/y"]
        assert await documents.next_due() == NOW
        await documents.failed("intel/y", NOW + 2 * HOUR)
        failed = await other.documents.read("intel/y")
        assert failed is not None
        assert (failed.failures, failed.refresh_at) == (1, NOW + 2 * HOUR)
        heads = await documents.heads()
        assert [(item.name, item.body, item.number) for item in heads] == [
            ("intel/x", b"", 8),
            ("intel/y", b"", 7),
        ]
        assert await documents.names("intel/x") == ["intel/x"]
        assert await documents.delete("intel/x") is True
        assert await documents.delete("intel/x") is False

    run(work())


def test_who_does_not_accept_changes_nothing(run: Run, database: CollateralDatabase) -> None:
    seen: list[Document | None] = []

    def refuse(old: Document | None) -> None:
        seen.append(old)
        raise EndorsementStale("older", detail="rollback")

    async def work() -> None:
        await database.documents.put(DOCUMENT, _any)
        generation = await database.documents.generation()
        with pytest.raises(EndorsementStale):
            await database.documents.put(replace(DOCUMENT, body=b"old"), refuse)
        assert await database.documents.read("intel/x") == DOCUMENT
        assert await database.documents.generation() == generation

    run(work())
    assert seen == [DOCUMENT]


def test_of_many_who_put_at_the_same_time_the_newest_stays(
    run: Run, database: CollateralDatabase, other: CollateralDatabase
) -> None:
    def newer_than(number: int) -> Callable[[Document | None], None]:
        def accept(old: Document | None) -> None:
            if old is not None and old.number > number:
                raise EndorsementStale("older", detail="rollback")

        return accept

    async def work() -> None:
        puts = [
            (database, other)[number % 2].documents.put(replace(DOCUMENT, number=number), newer_than(number))
            for number in (3, 9, 1, 7, 2, 8, 4, 6, 5)
        ]
        await asyncio.gather(*puts, return_exceptions=True)
        kept = await database.documents.read("intel/x")
        assert kept is not None
        assert kept.number == 9

    run(work())


def test_platforms(run: Run, database: CollateralDatabase, other: CollateralDatabase) -> None:
    async def work() -> None:
        platforms = database.platforms
        assert await platforms.read("QE", "0000") is None
        generation = await other.documents.generation()
        await platforms.put(PLATFORM, [HIGH, LOW], [RAW])
        assert await other.documents.generation() == generation, "nobody has anything of a new platform"
        assert await other.platforms.read("QE", "0000") == PLATFORM
        assert await other.platforms.served("QE", "0000", RAW.cpu_svn, RAW.pce_svn) == Served(
            HIGH.tcbm, b"high", "00906ED50000", "PLATFORM"
        )
        assert await platforms.served("QE", "0000", "00" * 16, "0000") is None
        assert await platforms.certificates("QE", "0000") == [HIGH, LOW]
        await platforms.choose("QE", "0000", RawTcb("01" * 16, "0101", LOW.tcbm))
        assert len(await platforms.raw_tcbs("QE", "0000")) == 2
        assert len(await platforms.with_tcbs([])) == 2
        assert await platforms.with_tcbs(["000000000000"]) == []
        await platforms.put(
            replace(PLATFORM, fetched_at=NOW + HOUR), [LOW], [RawTcb("01" * 16, "0101", LOW.tcbm)]
        )
        assert await other.documents.generation() > generation
        assert await platforms.certificates("QE", "0000") == [LOW]
        generation = await other.documents.generation()
        await platforms.add(PLATFORM, [HIGH], [RAW])
        assert await other.documents.generation() == generation, "nobody has anything of a new raw TCB"
        assert await platforms.certificates("QE", "0000") == [HIGH, LOW]
        await platforms.add(replace(PLATFORM, fetched_at=NOW + 2 * HOUR), [HIGH], [RAW])
        assert await other.documents.generation() == generation, "the same is served as before"
        assert await platforms.count() == 1

    run(work())


@pytest.mark.parametrize(
    ("certificates", "chosen"),
    [([LOW], replace(RAW, tcbm=LOW.tcbm)), ([replace(HIGH, der=b"anew")], RAW)],
    ids=["another certificate", "the certificate issued anew"],
)
def test_what_is_served_otherwise_is_seen_by_others(
    run: Run,
    database: CollateralDatabase,
    other: CollateralDatabase,
    certificates: list[PckCertificate],
    chosen: RawTcb,
) -> None:
    async def work() -> None:
        await database.platforms.add(PLATFORM, [HIGH], [RAW])
        generation = await other.documents.generation()
        await database.platforms.add(PLATFORM, certificates, [chosen])
        assert await other.documents.generation() > generation

    run(work())


def test_who_registers_while_the_queue_is_taken_stays_in_it(
    run: Run, database: CollateralDatabase, other: CollateralDatabase
) -> None:
    many = [Registration(f"QE{n}", "0000", "00" * 16, "0000", "ppid", "") for n in range(60)]

    async def work() -> None:
        taken: list[Registration] = []

        async def take() -> None:
            for _ in range(30):
                taken.extend(await database.registrations.take(RegistrationState.NEW))

        async def put() -> None:
            for item in many:
                await other.registrations.put([item], RegistrationState.NEW)

        await asyncio.gather(take(), put())
        taken += await database.registrations.take(RegistrationState.NEW)
        assert sorted(item.qe_id for item in taken) == sorted(item.qe_id for item in many)

    run(work())


def test_platforms_that_are_due(run: Run, database: CollateralDatabase) -> None:
    async def work() -> None:
        platforms = database.platforms
        assert await platforms.next_due() is None
        for number in range(3):
            item = replace(PLATFORM, qe_id=f"QE{number}", refresh_at=NOW + number * HOUR)
            await platforms.put(item, [HIGH], [])
        assert [item.qe_id for item in await platforms.due(NOW + HOUR, 9)] == ["QE0", "QE1"]
        assert await platforms.next_due() == NOW
        await platforms.failed("QE0", "0000", NOW + 9 * HOUR)
        assert [item.qe_id for item in await platforms.due(NOW + HOUR, 9)] == ["QE1"]
        # Earlier, never later.
        await platforms.schedule([("QE0", "0000", NOW), ("QE1", "0000", NOW + 5 * HOUR)])
        assert [item.qe_id for item in await platforms.due(NOW + HOUR, 9)] == ["QE0", "QE1"]
        assert [item.qe_id for item in await platforms.of_fmspcs(["00906ED50000"])] == ["QE0", "QE1", "QE2"]
        assert await platforms.of_fmspcs(["000000000000"]) == []
        assert len(await platforms.of_fmspcs([])) == 3

    run(work())


def test_registrations(run: Run, database: CollateralDatabase, other: CollateralDatabase) -> None:
    one = Registration("QE", "0000", "00" * 16, "0000", "ppid", "")
    two = replace(one, cpu_svn="", pce_svn="", enc_ppid="", platform_manifest="AB" * 20_000)

    async def work() -> None:
        queue = database.registrations
        await queue.put([], RegistrationState.NEW)
        await queue.put([one, two], RegistrationState.NEW)
        await queue.put([one], RegistrationState.NEW)
        assert await other.registrations.take(RegistrationState.NOT_AVAILABLE) == []
        assert sorted(
            await other.registrations.take(RegistrationState.NEW), key=lambda item: item.cpu_svn
        ) == [two, one]
        assert await queue.take(RegistrationState.NEW) == []
        await queue.put([one], RegistrationState.NEW)
        await queue.done(one)
        assert await queue.take(RegistrationState.NEW) == []
        await queue.put([one], RegistrationState.NOT_AVAILABLE)
        await queue.done(one)
        assert await queue.take(RegistrationState.NOT_AVAILABLE) == [one]

    run(work())


def test_appraisal_policies(run: Run, database: CollateralDatabase) -> None:
    async def work() -> None:
        policies = database.appraisal_policies
        await policies.put("a", "00906ED50000", 0, True, "first")
        await policies.put("b", "00906ED50000", 1, False, "second")
        assert await policies.defaults("00906ED50000") == ["first"]
        await policies.put("b", "00906ED50000", 1, True, "second")
        assert await policies.defaults("00906ED50000") == ["second"]
        assert await policies.defaults("000000000000") == []

    run(work())


def test_leases(run: Run, database: CollateralDatabase, other: CollateralDatabase) -> None:
    async def work() -> None:
        one, two = database.leases, other.leases
        assert await one.take("refresh", "one", NOW, NOW + HOUR)
        assert not await two.take("refresh", "two", NOW, NOW + HOUR)
        assert await one.take("refresh", "one", NOW, NOW + 2 * HOUR)
        assert not await two.take("refresh", "two", NOW + HOUR, NOW + 3 * HOUR)
        assert await two.take("refresh", "two", NOW + 2 * HOUR, NOW + 3 * HOUR)
        await one.give_back("refresh", "one")
        assert not await one.take("refresh", "one", NOW + 2 * HOUR, NOW + 3 * HOUR)
        await two.give_back("refresh", "two")
        taken = await asyncio.gather(
            *(
                leases.take("fetch", f"{number}", NOW, NOW + HOUR)
                for number in range(8)
                for leases in (one, two)
            )
        )
        assert 1 <= sum(taken) <= 2, "one holder, who asked twice"

    run(work())
