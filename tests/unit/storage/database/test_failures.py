"""What went wrong in a database, in our words."""

from __future__ import annotations

import sqlite3
import ssl

import asyncpg
import pytest
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from eaa.storage.database.failures import storage_error


def _sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("text with a secret")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_X"
    return error


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("text with a secret")
    error.verify_code, error.verify_message = code, "it is not valid for 'secret.example'"
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (asyncpg.ConnectionDoesNotExistError("x"), "storage.unavailable"),
        (asyncpg.AdminShutdownError("x"), "storage.unavailable"),
        (asyncpg.CannotConnectNowError("x"), "storage.unavailable"),
        (ConnectionRefusedError("x"), "storage.unavailable"),
        (asyncpg.SerializationError("x"), "storage.conflict"),
        (asyncpg.DeadlockDetectedError("x"), "storage.conflict"),
        (asyncpg.TooManyConnectionsError("x"), "storage.busy"),
        (asyncpg.LockNotAvailableError("x"), "storage.busy"),
        (PoolTimeout("x"), "storage.busy"),
        (asyncpg.DiskFullError("x"), "storage.full"),
        (asyncpg.QueryCanceledError("x"), "storage.timeout"),
        (TimeoutError("x"), "storage.timeout"),
        (asyncpg.InvalidPasswordError("x"), "storage.failed"),
        (asyncpg.UndefinedTableError("x"), "storage.failed"),
        (asyncpg.InterfaceError("x"), "storage.failed"),
        (ArgumentError("x"), "storage.failed"),
        (_sqlite(sqlite3.SQLITE_BUSY), "storage.busy"),
        (_sqlite(sqlite3.SQLITE_BUSY | 1 << 8), "storage.busy"),
        (_sqlite(sqlite3.SQLITE_LOCKED), "storage.busy"),
        (_sqlite(sqlite3.SQLITE_FULL), "storage.full"),
        (_sqlite(sqlite3.SQLITE_CANTOPEN), "storage.unavailable"),
        (_sqlite(sqlite3.SQLITE_CORRUPT), "storage.failed"),
        (DBAPIError("s", {}, asyncpg.SerializationError("x")), "storage.conflict"),
        (DBAPIError("s", {}, Exception("x"), connection_invalidated=True), "storage.unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_each_cause_has_a_code(error: Exception, code: str) -> None:
    assert storage_error(error).code == code


def test_only_a_lost_answer_to_a_commit_is_unknown() -> None:
    lost, silent = ConnectionResetError("x"), TimeoutError("x")
    assert storage_error(lost, committing=True).code == "storage.commit_unknown"
    assert storage_error(silent, committing=True).code == "storage.commit_unknown"
    assert storage_error(asyncpg.SerializationError("x"), committing=True).code == "storage.conflict"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (IntegrityError("INSERT secret", {"a": "secret"}, asyncpg.UniqueViolationError("secret")), "23505"),
        (_sqlite(sqlite3.SQLITE_IOERR), "SQLITE_X"),
        (OSError("secret"), "OSError"),
        # Of another host, and of another address: OpenSSL's words have it.
        (_certificate(62), "its certificate is for another name"),
        (_certificate(64), "its certificate is for another name"),
    ],
)
def test_the_message_has_the_databases_code_and_nothing_of_the_statement(error: Exception, name: str) -> None:
    text = str(storage_error(error))
    assert name in text
    assert "secret" not in text
