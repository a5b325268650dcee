"""Types of columns that mean the same in both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from eaa.errors import FormatError, UsageError

__all__ = ["ORDERED_TEXT", "Instant", "from_microseconds", "require_text", "storable", "to_microseconds"]

#: Text that compares by code point, in every locale of the server: keys, and what is listed in order.
ORDERED_TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exact.

    Raises:
        UsageError: ``instant`` is naive, or could not be read again: in UTC it is outside of years 1 to 9999.
    """
    if instant.tzinfo is None:
        raise UsageError("a time that is kept must be aware")
    count = (instant - _EPOCH) // _MICROSECOND
    if not _FIRST <= count <= _LAST:
        raise UsageError("a time that is kept must be one of UTC, too")
    return count


def from_microseconds(count: int) -> datetime:
    """Aware UTC."""
    return _EPOCH + timedelta(microseconds=count)


class Instant(TypeDecorator[datetime]):
    """An aware time, kept as an integer of microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


def require_text(text: str, *, what: str, field: str) -> str:
    """``text`` if both databases can keep it as it is: no NUL, no lone surrogate.

    Raises:
        FormatError: ``format.text``.
    """
    if storable(text) != text:
        raise FormatError(
            "expected text without NUL and without lone surrogates", what=what, field=field, detail="text"
        )
    return text


def storable(text: str) -> str:
    r"""``text`` with NUL and lone surrogates written as ``\x00`` and ``\udXXX``; any other text as it is."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", r"\x00")
