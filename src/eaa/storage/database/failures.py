"""What went wrong in a database, in our words: never a statement, a parameter or an address."""

from __future__ import annotations

import sqlite3
import ssl
from enum import Enum

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from eaa.errors import EAAError, StorageError

__all__ = ["DATABASE_ERRORS", "Cause", "cause_of", "storage_error"]

#: What a driver, the pool or the network may raise.
DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError)


class Cause(Enum):
    """Why; the value is the ``detail`` of the error."""

    LOST = "unavailable"
    CONFLICT = "conflict"
    BUSY = "busy"
    TIMEOUT = "timeout"
    FULL = "full"
    REFUSED = "failed"


_MESSAGES = {
    Cause.LOST: "the database cannot be reached",
    Cause.CONFLICT: "too many others wrote the same at the same time",
    Cause.BUSY: "the database was busy with others for too long",
    Cause.TIMEOUT: "the database did not answer in time",
    Cause.FULL: "the database has no space left",
    Cause.REFUSED: "the database refused",
}

#: The class of SQLSTATEs of a login that is refused, and what is said of it in place of the cause's words.
_LOGIN = "28"
_LOGIN_MESSAGE = "the database lets us not in by this user and password, from here, with or without TLS"

#: By SQLSTATE or its class (appendix A of its manual).
_SQLSTATES = {
    "08": Cause.LOST, "57P01": Cause.LOST, "57P02": Cause.LOST, "57P03": Cause.LOST, "57P05": Cause.LOST,
    "25P03": Cause.LOST, "28": Cause.REFUSED, "40": Cause.CONFLICT, "53": Cause.BUSY, "53100": Cause.FULL,
    "55P03": Cause.BUSY, "57014": Cause.TIMEOUT,
}  # fmt: skip

#: By primary result code (sqlite.org/rescode.html).
_SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: Cause.BUSY,
    sqlite3.SQLITE_LOCKED: Cause.BUSY,
    sqlite3.SQLITE_FULL: Cause.FULL,
    sqlite3.SQLITE_CANTOPEN: Cause.LOST,
}

#: X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, X509_STORE_CTX_get_error).
_OTHER_NAME = (62, 64)


def cause_of(error: BaseException) -> Cause:
    """The cause of one of :data:`DATABASE_ERRORS`."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return Cause.LOST
        return _cause_of_driver(error.orig) if error.orig is not None else Cause.REFUSED
    if isinstance(error, PoolTimeout):
        return Cause.BUSY
    return _cause_of_driver(error)


def _cause_of_driver(error: BaseException) -> Cause:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2]) or Cause.REFUSED
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _SQLITE_CODES.get(code & 0xFF, Cause.REFUSED)
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT
    return Cause.LOST if isinstance(error, OSError) else Cause.REFUSED


def storage_error(error: BaseException, *, committing: bool = False) -> EAAError:
    """``error`` in our words. ``committing`` if it came as the answer to a commit.

    If the connection is lost between a commit and its answer, nobody knows whether it happened: detail
    ``commit_unknown``.
    """
    origin = getattr(error, "orig", None) or error
    if isinstance(origin, EAAError):  # of a value on its way into a statement
        return origin
    cause = cause_of(error)
    if committing and cause in (Cause.LOST, Cause.TIMEOUT):
        return StorageError("the connection was lost while it committed", detail="commit_unknown")
    state = getattr(origin, "sqlstate", None)
    if isinstance(origin, ssl.SSLCertVerificationError):
        what = _certificate(origin)
    else:
        what = state or getattr(origin, "sqlite_errorname", None) or type(origin).__name__
    said = _LOGIN_MESSAGE if isinstance(state, str) and state.startswith(_LOGIN) else _MESSAGES[cause]
    return StorageError(f"{said} ({what})", detail=cause.value)


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's words, but where they have the address."""
    if error.verify_code in _OTHER_NAME:
        return "its certificate is for another name"
    return f"its certificate: {error.verify_message}"
