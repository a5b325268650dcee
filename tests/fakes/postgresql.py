"""The machine's own PostgreSQL, on a Unix socket in a folder of its own, for as long as a test needs it.

PostgreSQL does not run as root: where the tests do, it runs as ``postgres`` or ``nobody``.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import asyncpg

__all__ = ["PostgresqlServer", "postgresql_server"]

_SECONDS = 60.0
#: One that does not sort by code point, as those of people do not.
_LOCALE = ("--no-locale", "--locale-provider=icu", "--icu-locale=en-US")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "log_statement": "none",
}


#: Of whom it lets in over TCP: by password, and over TLS alone.
_PASSWORD = "of a test"
_HBA = "local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n"


class PostgresqlServer:
    """A server with one superuser, ``tests``, whom it trusts on its socket.

    With ``certified``, which writes a certificate and its key into the files it is given, it listens on
    127.0.0.1 and 127.0.0.2 too, for who has the password and comes over TLS.
    """

    def __init__(
        self, folder: Path, *, durable: bool, certified: Callable[[Path, Path], None] | None = None
    ) -> None:
        self._programs = _programs()
        self._folder = folder
        self._data = folder / "data"
        self._durable = durable
        self._certified = certified
        account = _account()
        self._user = None if account is None else account.pw_uid
        self._group = None if account is None else account.pw_gid
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()

    def create(self) -> None:
        if self._user is not None and self._group is not None:
            os.chown(self._folder, self._user, self._group)
        options = ["--username=tests", "--auth=trust", "--encoding=UTF8", "--no-sync", *_LOCALE]
        self._run("initdb", "-D", str(self._data), *options)
        if self._certified is not None:
            certificate, key = self._data / "server.crt", self._data / "server.key"
            key.touch(mode=0o600)
            self._certified(certificate, key)
            for file in (certificate, key):
                os.chown(file, -1 if self._user is None else self._user, -1)
            (self._data / "pg_hba.conf").write_text(_HBA)

    def start(self, **changed: str) -> None:
        """Start it, with settings ``changed``, and wait until it answers."""
        settings = {**_SETTINGS, "port": str(self._port), "unix_socket_directories": str(self._folder)}
        if self._certified is not None:
            settings |= {"listen_addresses": "127.0.0.1,127.0.0.2", "ssl": "on"}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        arguments = [f"--{name}={value}" for name, value in (settings | changed).items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *arguments],
                stdout=log, stderr=log, cwd=self._folder, user=self._user, group=self._group,
            )  # fmt: skip
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self, mode: str = "fast") -> None:
        """``fast`` ends connections; ``immediate`` ends the processes, as a crash does."""
        if self._process is None:
            return
        try:
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", mode, "-t", "20")
        finally:
            with suppress(ProcessLookupError):
                if self._process.poll() is None and self._process.wait(20) is None:
                    self._process.kill()
            self._process.wait(20)
            self._process = None

    def create_database(self, template: str = "template1") -> str:
        """The name of a new database."""
        name = f"d{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, database: str) -> str:
        return f"postgresql://tests@/{database}?host={self._folder}&port={self._port}"

    def tcp_url(self, database: str, host: str, **parameters: str) -> str:
        """Over TCP, by password; of a server that is certified."""
        self.execute(f"ALTER USER tests PASSWORD '{_PASSWORD}'")
        return f"postgresql://tests:{quote(_PASSWORD)}@{host}:{self._port}/{database}?{urlencode(parameters)}"

    def execute(self, statement: str, database: str = "postgres") -> list[asyncpg.Record]:
        """One statement, by a connection of its own."""

        async def work() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(
                host=str(self._folder), port=self._port, user="tests", database=database, timeout=5
            )
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close(timeout=5)

        return asyncio.run(work())

    def processes(self, database: str) -> list[int]:
        """The process of each connection to ``database``."""
        rows = self.execute("SELECT datname, pid FROM pg_stat_activity")
        return [int(row["pid"]) for row in rows if row["datname"] == database]

    def terminate_connections(self, database: str) -> int:
        """End all connections to ``database`` from the server's side; how many there were."""
        ended = [self.execute(f"SELECT pg_terminate_backend({each})") for each in self.processes(database)]
        return len(ended)

    def _answers(self) -> bool:
        path = self._folder / f".s.PGSQL.{self._port}"
        if not path.exists():
            return False
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_SECONDS, check=False, cwd=self._folder, user=self._user, group=self._group,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"{program} failed:\n{done.stdout.decode(errors='replace')}")


@contextmanager
def postgresql_server(
    *, durable: bool = True, certified: Callable[[Path, Path], None] | None = None
) -> Iterator[PostgresqlServer]:
    """A running server; without ``durable`` it forgets what it kept if the machine stops, and is faster."""
    with tempfile.TemporaryDirectory(prefix="eaa-pg-") as folder:
        server = PostgresqlServer(Path(folder), durable=durable, certified=certified)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _programs() -> Path:
    """The folder of ``initdb`` and ``postgres``, as the distribution has it or on the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    found = shutil.which("postgres")
    if found is not None:
        places.insert(0, Path(found).resolve().parent)
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "pg_ctl")):
            return place
    raise AssertionError("the tests need a PostgreSQL server: install the apt package `postgresql`")


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`")


def _free_port() -> int:
    """Part of the socket's name only: nothing listens on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
