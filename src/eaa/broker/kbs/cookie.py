"""The cookie of the KBS protocol that carries the sealed challenge [RFC6265]."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime

from eaa.broker.kbs.challenge import MAX_SEALED_CHARS
from eaa.errors import SessionError

__all__ = ["COOKIE_NAME", "COOKIE_PATH", "session_cookie", "set_cookie"]

COOKIE_NAME = "kbs-session-id"
COOKIE_PATH = "/kbs/v0"


def set_cookie(sealed: str, *, expires_at: datetime, secure: bool) -> str:
    """The value of ``Set-Cookie`` for ``sealed``, which must need no quotes.

    Args:
        sealed: of :func:`eaa.broker.kbs.challenge.seal_challenge`.
        expires_at: aware.
        secure: whether the guest is spoken to through TLS.
    """
    expires = format_datetime(expires_at.astimezone(UTC), usegmt=True)
    attributes = [f"Path={COOKIE_PATH}", f"Expires={expires}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([f"{COOKIE_NAME}={sealed}", *attributes, *(["Secure"] if secure else [])])


def session_cookie(headers: Iterable[str]) -> str | None:
    """The value of our cookie in the ``Cookie`` headers of a request, or ``None`` if it is not there.

    Cookies of other names are not looked at, whatever they are.

    Raises:
        SessionError: ``session.malformed``: it is there twice, empty, or longer than a sealed challenge.
    """
    pairs = (pair.partition("=") for header in headers for pair in header.split(";"))
    values = [value.strip(" \t") for name, _, value in pairs if name.strip(" \t") == COOKIE_NAME]
    if not values:
        return None
    if len(values) > 1:
        raise _malformed(f"it came {len(values)} times")
    value = _unquoted(values[0])
    if not 0 < len(value) <= MAX_SEALED_CHARS:
        raise _malformed(f"expected 1 to {MAX_SEALED_CHARS} characters, got {len(value)}")
    return value


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def _malformed(message: str) -> SessionError:
    return SessionError(f"the cookie {COOKIE_NAME} is not usable: {message}", detail="malformed")
