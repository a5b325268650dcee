"""A real PostgreSQL over TLS: the server is verified before it hears a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from eaa.errors import StorageError
from eaa.storage.database.database import Database
from tests.cli.authority import Authority
from tests.fakes.postgresql import PostgresqlServer, postgresql_server
from tests.unit.storage.database.samples import NOW, PATH, AesSealer

AUTHORITY = Authority()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with postgresql_server(durable=False, certified=AUTHORITY.write_server) as running:
        yield running


@pytest.fixture
def name(server: PostgresqlServer) -> str:
    return server.create_database()


def authorities(folder: Path, authority: Authority = AUTHORITY) -> str:
    file = folder / "authorities.pem"
    file.write_bytes(authority.pem)
    return str(file)


def refusal(url: str) -> StorageError:
    with pytest.raises(StorageError) as caught:
        asyncio.run(Database.open(url, AesSealer()))
    assert "of a test" not in str(caught.value)
    return caught.value


def test_every_connection_is_over_tls(server: PostgresqlServer, name: str, tmp_path: Path) -> None:
    url = server.tcp_url(name, "localhost", sslmode="verify-full", sslrootcert=authorities(tmp_path))

    async def work() -> bytes:
        database = await Database.open(url, AesSealer())
        try:
            await database.resources.put(PATH, b"secret", by="test", now=NOW)
            read = await asyncio.gather(*(database.resources.read(PATH) for _ in range(4)))
            query = "SELECT datname, ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
            rows = await asyncio.to_thread(server.execute, query)
            shown = {(row["ssl"], row["version"]) for row in rows if row["datname"] == name}
            assert shown == {(True, "TLSv1.3")}
            return read[0].content
        finally:
            await database.close()

    assert asyncio.run(work()) == b"secret"


def test_an_authority_that_is_not_the_server_s(server: PostgresqlServer, name: str, tmp_path: Path) -> None:
    given = authorities(tmp_path, Authority())
    error = refusal(server.tcp_url(name, "localhost", sslmode="verify-full", sslrootcert=given))
    assert error.code == "storage.unavailable"
    assert str(error).endswith("(its certificate: certificate signature failure)")


def test_a_name_that_is_not_the_server_s(server: PostgresqlServer, name: str, tmp_path: Path) -> None:
    """TLS is the default for a server that is not known to be on this machine."""
    error = refusal(server.tcp_url(name, "127.0.0.2", sslrootcert=authorities(tmp_path)))
    assert error.code == "storage.unavailable"
    assert str(error).endswith("(its certificate is for another name)")


def test_a_server_that_asks_for_tls_is_not_told_a_password_in_clear_text(
    server: PostgresqlServer, name: str
) -> None:
    error = refusal(server.tcp_url(name, "127.0.0.1", sslmode="disable"))
    assert (error.code, "lets us not in" in str(error)) == ("storage.failed", True)


def test_a_server_without_tls(server: PostgresqlServer, name: str, tmp_path: Path) -> None:
    server.stop()
    server.start(ssl="off")
    try:
        given = authorities(tmp_path)
        error = refusal(server.tcp_url(name, "localhost", sslmode="verify-full", sslrootcert=given))
    finally:
        server.stop()
        server.start()
    assert error.code == "storage.unavailable"
