"""Which challenges were used, and what came of it; every decision, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from eaa.broker.records import Session
from eaa.errors import FormatError, ResourceNotFound, SessionError, StorageError
from eaa.storage.database.database import Database
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import HOUR, NOW, AesSealer, decision, session


@pytest.mark.parametrize("token", ["header.claims.signature", "", None])
def test_what_was_spent_is_read(run: Run, database: Database, token: str | None) -> None:
    spent, why = session("s", token=token), decision()
    run(database.sessions.spend(spent, why))
    assert run(database.sessions.read("s")) == spent
    assert run(database.decisions.read(why.id)) == why


def test_a_session_that_is_not_there_is_none(run: Run, database: Database) -> None:
    for unknown in ("s", "", "\0", "\ud800"):
        assert run(database.sessions.read(unknown)) is None


def test_a_session_is_spent_once(run: Run, database: Database, other: Database) -> None:
    run(database.sessions.spend(session("s", token="first"), decision()))
    second = decision()
    for store in (database, other):
        with pytest.raises(SessionError) as caught:
            run(store.sessions.spend(session("s", token="second"), second))
        assert caught.value.code == "session.spent"
    assert run(database.sessions.read("s")) == session("s", token="first")
    with pytest.raises(ResourceNotFound):
        run(database.decisions.read(second.id))


def test_of_many_at_once_one_spends_it(run: Run, database: Database, other: Database) -> None:
    tries = [
        (store, session("s", token=f"{n}"), decision()) for n in range(50) for store in (database, other)
    ]

    async def work() -> list[BaseException | None]:
        spends = [store.sessions.spend(each, why) for store, each, why in tries]
        return await asyncio.gather(*spends, return_exceptions=True)

    results = run(work())
    winners = [attempt for attempt, result in zip(tries, results, strict=True) if result is None]
    assert len(winners) == 1
    assert {type(result) for result in results} == {type(None), SessionError}
    assert run(other.sessions.read("s")) == winners[0][1]
    assert [kept.id for kept in run(database.decisions.list())] == [winners[0][2].id]


def test_a_conflict_does_not_fail_its_neighbours(run: Run, database: Database) -> None:
    run(database.sessions.spend(session("7"), decision()))

    async def work() -> list[BaseException | None]:
        spends = [database.sessions.spend(session(f"{n % 50}"), decision()) for n in range(100)]
        records = [database.decisions.record(decision()) for _ in range(100)]
        return await asyncio.gather(*spends, *records, return_exceptions=True)

    results = run(work())
    assert [n for n, result in enumerate(results) if result is not None] == [7, *range(50, 100)]
    assert len(run(database.decisions.list(limit=1000))) == 1 + 49 + 100


def test_a_decision_of_the_same_id_is_refused_with_its_session(run: Run, database: Database) -> None:
    first = decision(reason="first")
    run(database.decisions.record(first))

    async def work() -> Sequence[BaseException | None]:
        return await asyncio.gather(
            database.sessions.spend(session("a"), decision()),
            database.sessions.spend(session("b"), decision(id=first.id)),
            database.decisions.record(decision(id=first.id)),
            return_exceptions=True,
        )

    fine, spending, recording = run(work())
    assert fine is None
    for refused in (spending, recording):
        assert isinstance(refused, StorageError)
        assert refused.code == "storage.duplicate"
    assert run(database.sessions.read("b")) is None
    assert run(database.decisions.read(first.id)) == first
    run(database.sessions.spend(session("b"), decision()))


def test_an_id_that_cannot_be_kept_is_refused(run: Run, database: Database) -> None:
    with pytest.raises(FormatError):
        run(database.sessions.spend(session("a\0"), decision()))


def test_the_token_is_sealed_for_its_session(run: Run, database: Database, sealer: AesSealer) -> None:
    run(database.sessions.spend(session("s"), decision()))
    run(database.sessions.spend(session("t", token=None), decision()))
    assert sealer.contexts == [b"session/s"]


def test_pruning_forgets_what_has_expired(run: Run, database: Database) -> None:
    async def fill() -> None:
        spends = [
            database.sessions.spend(Session(f"{n}", None, NOW + n * HOUR / 1000), decision())
            for n in range(2500)
        ]
        await asyncio.gather(*spends)

    run(fill())
    assert run(database.sessions.prune(NOW - HOUR)) == 0
    assert run(database.sessions.prune(NOW + HOUR * 2)) == 2001
    assert run(database.sessions.read("2000")) is None
    assert run(database.sessions.read("2001")) is not None
    run(database.sessions.spend(session("7"), decision()))


def test_what_was_begun_before_closing_is_kept(run: Run, url: str, sealer: AesSealer) -> None:
    async def work() -> tuple[list[BaseException | None], int]:
        database = await Database.open(url, sealer)
        spends = [
            asyncio.ensure_future(database.sessions.spend(session(f"{n}"), decision())) for n in range(1500)
        ]
        while not database._journal._group._waiting:
            await asyncio.sleep(0)
        await asyncio.gather(database.close(), database.close())
        results = await asyncio.gather(*spends, return_exceptions=True)
        again = await Database.open(url, sealer)
        kept = len(await again.decisions.list(limit=10_000))
        await again.close()
        return results, kept

    results, kept = run(work())
    assert results.count(None) == kept > 0
    assert {getattr(result, "code", "kept") for result in results} <= {"kept", "storage.closed"}


def test_after_closing_nothing_is_answered(run: Run, url: str, sealer: AesSealer) -> None:
    async def work() -> list[str]:
        database = await Database.open(url, sealer)
        await database.close()
        results = await asyncio.gather(
            database.sessions.spend(session("s"), decision()),
            database.sessions.read("s"),
            database.decisions.list(),
            database.references.put([]),
            database.references.delete("x"),
            database.ping(),
            return_exceptions=True,
        )
        return [getattr(result, "code", str(result)) for result in results]

    closed = "storage.closed"
    assert run(work()) == [closed, closed, closed, "None", closed, closed]
