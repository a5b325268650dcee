"""Where a database is: its URL, and the file of SQLite that nobody else may read."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from eaa.errors import ConfigError
from eaa.storage.database.backend import Backend
from eaa.storage.database.sqlite import SqliteBackend

__all__ = ["backend_of"]

_GROUP_OR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def backend_of(text: str) -> Backend:
    """The database at the URL ``text``; nothing is asked of it yet.

    ``sqlite:////absolute/path`` is a file, made with mode 0600 in a folder made with mode 0700; ``sqlite://``
    is in memory. ``postgresql://user@host/name`` takes ``host`` (a folder, of a Unix socket), ``port``,
    ``sslmode`` and ``sslrootcert`` as parameters. TLS with the name of the server verified is the default
    unless the server is on this machine.

    Raises:
        ConfigError: ``config.database_url``, without repeating it: it may hold a password; or
            ``config.database_file``: others own or may read the file, or own or may write to its folder.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _bad("it is no URL") from None
    match url.drivername:
        case "sqlite":
            return SqliteBackend(_sqlite_path(url))
        case "postgresql" | "postgres":
            return _postgresql(url)
    raise _bad("it begins neither with sqlite: nor with postgresql:")


def _sqlite_path(url: URL) -> Path | None:
    if url.host or url.username or url.query:
        raise _bad("expected sqlite:///path, without host, user or parameters")
    if url.database in (None, "", ":memory:"):
        return None
    path = Path(url.database or "").absolute()
    try:
        _make_private(path)
    except OSError as error:
        raise _file_error(path, f"cannot be made: {error.strerror}") from None
    return path


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = path.parent.stat()
    _require_ours(path.parent, folder)
    if folder.st_mode & _WRITE_BY_OTHERS:
        raise _file_error(path.parent, f"others may write to it; repair with: chmod go-w {path.parent}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _file_error(path, "is no regular file")
    _require_ours(path, status)
    if status.st_mode & _GROUP_OR_OTHERS:
        raise _file_error(path, f"others may read or write it; repair with: chmod 600 {path}")


def _require_ours(path: Path, status: os.stat_result) -> None:
    """Secrets in it are sealed; policies are not, and whoever owns it could put others in their place."""
    if status.st_uid not in (os.geteuid(), 0):
        raise _file_error(path, f"belongs to user {status.st_uid}, not to the one who runs this")


def _postgresql(url: URL) -> Backend:
    if unknown := url.query.keys() - {"host", "port", "sslmode", "sslrootcert"}:
        raise _bad(f"unknown parameter {sorted(unknown)[0]!r}")
    if not url.database:
        raise _bad("expected the name of the database")
    host = url.host or _single(url, "host") or ""
    is_local = not host or host.startswith("/") or host in _LOOPBACK
    mode = _single(url, "sslmode") or ("disable" if is_local else "verify-full")
    authorities = _single(url, "sslrootcert")
    url = url.difference_update_query(["sslmode", "sslrootcert"])
    try:
        from eaa.storage.database.postgresql import PostgresqlBackend  # noqa: PLC0415 - asyncpg is optional
    except ImportError as error:
        raise _bad(f"{error.name} is not installed; install eaa[postgresql]") from None
    if mode == "disable":
        return PostgresqlBackend(url, None)
    if mode != "verify-full":
        raise _bad("expected sslmode=verify-full or sslmode=disable")
    try:
        return PostgresqlBackend(url, ssl.create_default_context(cafile=authorities))
    except OSError:
        raise _bad("sslrootcert names no file of certificates") from None


def _single(url: URL, name: str) -> str | None:
    value = url.query.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _bad(f"expected one {name}")


def _bad(message: str) -> ConfigError:
    return ConfigError(f"the URL of the database: {message}", detail="database_url")


def _file_error(path: Path, message: str) -> ConfigError:
    return ConfigError(f"{path}: {message}", detail="database_file", file=str(path))
