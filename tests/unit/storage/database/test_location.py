"""Where a database is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from eaa.errors import ConfigError, StorageError
from eaa.storage.database.database import ConnectedDatabase, Database
from eaa.storage.database.location import backend_of
from eaa.storage.database.postgresql import PostgresqlBackend
from tests.unit.storage.conftest import Run
from tests.unit.storage.database.samples import NOW, PATH, AesSealer, decision, session

_SECRET = "pa55word"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"nonsense {_SECRET}", "no URL"),
        (f"mysql://u:{_SECRET}@h/d", "neither"),
        (f"sqlite://u:{_SECRET}@h/d", "without host"),
        ("sqlite:///x?mode=memory", "without host"),
        (f"postgresql://u:{_SECRET}@h", "name of the database"),
        (f"postgresql://u:{_SECRET}@h/d?options=x", "unknown parameter 'options'"),
        (f"postgresql://u:{_SECRET}@h/d?sslmode=require", "sslmode"),
        (f"postgresql://u:{_SECRET}@h/d?sslmode=disable&sslmode=disable", "one sslmode"),
        (f"postgresql://u:{_SECRET}@h/d?sslrootcert=/none", "sslrootcert"),
        (f"postgresql://u:{_SECRET}@h:port/d", "no URL"),
    ],
)
def test_a_url_that_names_no_database_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        backend_of(url)
    assert caught.value.code == "config.database_url"
    assert _SECRET not in f"{caught.value!r} {caught.value.fields}"


def test_the_file_and_all_beside_it_are_the_owners_alone(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        connected = run(ConnectedDatabase.connect(f"sqlite:///{folder}/eaa.db"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        run(connected.close())
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {"eaa.db": 0o600, "eaa.db-wal": 0o600, "eaa.db-shm": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "eaa.db"
    path.touch()
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        backend_of(f"sqlite:///{path}")
    assert caught.value.code == "config.database_file"


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)
    with pytest.raises(ConfigError, match="chmod go-w"):
        backend_of(f"sqlite:///{tmp_path}/open/eaa.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("given", ["eaa.db", "."])
def test_what_somebody_else_owns_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    path = tmp_path / "own" / "eaa.db"
    path.touch(0o600)
    os.chown(path.parent / given, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345") as caught:
        backend_of(f"sqlite:///{path}")
    assert caught.value.code == "config.database_file"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("link", "folder", "fifo", "link/eaa.db"):
        with pytest.raises(ConfigError) as caught:
            backend_of(f"sqlite:///{tmp_path}/{name}")
        assert caught.value.code == "config.database_file"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_is_no_database_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "eaa.db"
    path.write_bytes(b"not a database" * 1000)
    path.chmod(0o600)
    with pytest.raises(StorageError) as caught:
        run(ConnectedDatabase.connect(f"sqlite:///{path}"))
    assert caught.value.code == "storage.failed"


def test_in_memory_all_is_there_until_it_is_closed(run: Run) -> None:
    async def work() -> None:
        database = await Database.open("sqlite://", AesSealer())
        await database.resources.put(PATH, b"x", by="", now=NOW)
        assert (await database.resources.read(PATH)).content == b"x"
        await database.sessions.spend(session("s"), decision())
        assert len(await database.decisions.list()) == 1
        await database.ping()
        await database.close()

    run(work())


@pytest.mark.parametrize(
    ("where", "is_verified"),
    [
        ("db.example/d", True),
        ("db.example/d?sslmode=disable", False),
        ("127.0.0.1/d", False),
        ("localhost/d", False),
        ("/d?host=/run/postgresql", False),
        ("/d", False),
        ("/d?host=db.example", True),
        ("localhost/d?sslmode=verify-full", True),
    ],
)
def test_servers_elsewhere_are_verified(run: Run, where: str, is_verified: bool) -> None:
    backend = backend_of(f"postgresql://u@{where}")
    assert isinstance(backend, PostgresqlBackend)
    tls = backend._lookups._options["ssl"]
    assert bool(tls) is is_verified
    assert not is_verified or tls.check_hostname
    run(backend.close())


def test_without_asyncpg_only_postgresql_is_missing(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['asyncpg'] = sys.modules['sqlalchemy.ext.asyncio'] = None\n"
        "from eaa.errors import ConfigError\n"
        "from eaa.storage.database.database import ConnectedDatabase\n"
        "from eaa.storage.database.location import backend_of\n"
        "import asyncio\n"
        "async def main():\n"
        "    await (await ConnectedDatabase.connect(sys.argv[1])).close()\n"
        "    try: backend_of('postgresql://u@/d')\n"
        "    except ConfigError as error: print(error)\n"
        "asyncio.run(main())\n"
    )
    url = f"sqlite:///{tmp_path}/a/eaa.db"
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    assert "install eaa[postgresql]" in done.stdout
