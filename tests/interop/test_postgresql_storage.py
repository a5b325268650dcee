"""A real PostgreSQL that fails, hangs, refuses and comes back."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection

from eaa.errors import StorageError
from eaa.storage.database import postgresql as module
from eaa.storage.database.database import ConnectedDatabase, Database
from tests.fakes.postgresql import PostgresqlServer, postgresql_server
from tests.unit.storage.database.samples import NOW, PATH, AesSealer, decision, session


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with postgresql_server(durable=False) as running:
        yield running


@pytest.fixture
def name(server: PostgresqlServer) -> str:
    return server.create_database()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def database(server: PostgresqlServer, name: str, runner: asyncio.Runner) -> Iterator[Database]:
    opened = runner.run(Database.open(server.url(name), AesSealer()))
    try:
        yield opened
    finally:
        runner.run(opened.close())


async def _use(database: Database, session_id: str) -> None:
    """Every way into the database, several at once."""
    await asyncio.gather(
        *(database.policies.generation() for _ in range(4)),
        database.resources.put(PATH, b"x", by="", now=NOW),
        database.sessions.spend(session(session_id), decision()),
        *(database.decisions.list() for _ in range(4)),
    )


def test_lost_connections_are_replaced_unnoticed(
    server: PostgresqlServer, name: str, runner: asyncio.Runner, database: Database
) -> None:
    for round_number in range(5):
        runner.run(_use(database, f"{round_number}"))
        assert server.terminate_connections(name) >= 2
    runner.run(_use(database, "last"))
    assert len(runner.run(database.resources.versions(PATH))) == 6


def test_a_transaction_lost_before_its_commit_is_done_again_once(
    runner: asyncio.Runner, database: Database
) -> None:
    attempts = 0

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.exec_driver_sql("UPDATE generation SET value = value + 1")
        if attempts == 1:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    runner.run(database._connected.backend.write(work))
    assert attempts == 2
    assert runner.run(database.policies.generation()) == 1


def test_a_transaction_lost_in_its_commit_is_not_done_again(
    runner: asyncio.Runner, database: Database
) -> None:
    attempts = 0
    backend = database._connected.backend

    def prepare(connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END'"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON generation DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION die()"
        )

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.exec_driver_sql("UPDATE generation SET value = value + 1")

    runner.run(backend.write(prepare))
    with pytest.raises(StorageError) as caught:
        runner.run(backend.write(work))
    assert caught.value.code == "storage.commit_unknown"
    assert attempts == 1


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_conflict_is_tried_again_a_bounded_number_of_times(
    runner: asyncio.Runner, database: Database, state: str
) -> None:
    def conflicts(count: int) -> None:
        attempts = 0

        def work(connection: Connection) -> None:
            nonlocal attempts
            attempts += 1
            connection.exec_driver_sql("UPDATE generation SET value = value + 1")
            if attempts <= count:
                connection.exec_driver_sql(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

        runner.run(database._connected.backend.write(work))

    conflicts(module.ATTEMPTS - 1)
    with pytest.raises(StorageError) as caught:
        conflicts(module.ATTEMPTS)
    assert caught.value.code == "storage.conflict"
    assert runner.run(database.policies.generation()) == 1


def test_a_statement_that_takes_too_long_is_ended(
    server: PostgresqlServer, name: str, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STATEMENT_SECONDS", 1)
    database = runner.run(Database.open(server.url(name), AesSealer()))
    with pytest.raises(StorageError) as caught:
        runner.run(
            database._connected.backend.write(lambda c: c.exec_driver_sql("SELECT pg_sleep(30)").close())
        )
    assert caught.value.code == "storage.timeout"
    runner.run(database.close())


def test_a_server_that_is_silent_keeps_nobody_waiting(
    server: PostgresqlServer, name: str, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it holds are told; later ones may get new connections, and be answered."""
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(module, "_POOL_SECONDS", 0.2)
    database = runner.run(Database.open(server.url(name), AesSealer()))
    runner.run(_use(database, "before"))
    processes = server.processes(name)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:

        async def ask() -> Sequence[object]:
            return await asyncio.gather(
                database.sessions.spend(session("s"), decision()),
                *(database.policies.generation() for _ in range(100)),
                return_exceptions=True,
            )

        answers = runner.run(asyncio.wait_for(ask(), 20))
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
        runner.run(database.close())
    told = [answer.code for answer in answers if isinstance(answer, StorageError)]
    assert set(told) == {"storage.timeout"}
    assert len(told) + answers.count(0) == len(answers)


def test_closing_does_not_wait_for_a_silent_server(
    server: PostgresqlServer, name: str, runner: asyncio.Runner
) -> None:
    database = runner.run(Database.open(server.url(name), AesSealer()))
    runner.run(_use(database, "s"))
    processes = server.processes(name)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        runner.run(asyncio.wait_for(database.close(), 30))
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def test_who_asks_while_it_is_closed_is_answered_or_told(
    server: PostgresqlServer, name: str, runner: asyncio.Runner
) -> None:
    async def work() -> list[int | BaseException]:
        database = await Database.open(server.url(name), AesSealer())
        asked = [asyncio.ensure_future(database.policies.generation()) for _ in range(20)]
        await asyncio.sleep(0.02)
        await database.close()
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {getattr(answer, "code", answer) for answer in runner.run(work())} <= {0, "storage.closed"}
    _wait_until_nobody_is_connected(server, name)


def _wait_until_nobody_is_connected(server: PostgresqlServer, name: str) -> None:
    deadline = time.monotonic() + 10
    while server.processes(name):
        assert time.monotonic() < deadline, "connections were left behind"
        time.sleep(0.02)


def test_without_a_server_all_say_so_and_with_it_all_goes_on(
    server: PostgresqlServer, runner: asyncio.Runner, database: Database
) -> None:
    server.stop()
    for ask in (
        database.ping(),
        database.policies.generation(),
        database.sessions.spend(session("s"), decision()),
        ConnectedDatabase.connect(server.url("any")),
    ):
        with pytest.raises(StorageError) as caught:
            runner.run(ask)
        assert caught.value.code == "storage.unavailable"
        assert caught.value.retryable
    server.start()
    runner.run(_use(database, "s"))
    runner.run(database.ping())


def test_who_is_cancelled_hurts_nobody(
    server: PostgresqlServer, name: str, runner: asyncio.Runner, database: Database
) -> None:
    async def work() -> None:
        for delay in range(30):
            tasks = [
                asyncio.ensure_future(database.resources.put(PATH, b"x", by="", now=NOW)),
                asyncio.ensure_future(database.policies.generation()),
                asyncio.ensure_future(database.decisions.list()),
                asyncio.ensure_future(database.sessions.spend(session(f"{delay}"), decision())),
            ]
            await asyncio.sleep(delay / 5000)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await _use(database, "last")
        versions = [each.version for each in await database.resources.versions(PATH)]
        assert versions == list(range(len(versions), 0, -1))

    runner.run(work())
    assert len(server.processes(name)) <= 24


def test_the_password_is_told_to_nobody(
    server: PostgresqlServer, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url("postgres").replace("tests@", "nobody-known:pa55word@")
    with pytest.raises(StorageError) as caught:
        runner.run(ConnectedDatabase.connect(url))
    assert caught.value.code == "storage.failed"
    assert "pa55word" not in f"{caught.value!r} {caught.value.fields} {caplog.text}"
