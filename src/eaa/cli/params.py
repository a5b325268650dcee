"""Option values as types: whatever is wrong with one is a usage error that names the option."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from eaa.endorsements.tcb import TcbStatus

__all__ = ["HexBytes", "StatusList", "Time", "Within"]

if TYPE_CHECKING:
    _HexType = click.ParamType[bytes]
    _TimeType = click.ParamType[datetime]
    _StatusType = click.ParamType[frozenset[TcbStatus]]
    _SpanType = click.ParamType[timedelta]
else:  # generic in newer releases of click only
    _HexType = _TimeType = _StatusType = _SpanType = click.ParamType

_STATUSES = {str(status).lower(): status for status in TcbStatus}
_DIGITS = 12


class HexBytes(_HexType):
    """Hexadecimal of ``least`` to ``most`` bytes, in any case, with or without ``0x``."""

    name = "hex"

    def __init__(self, *lengths: int, most: int | None = None) -> None:
        self._lengths = lengths
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        text = value.strip().removeprefix("0x")
        if (text and not (text.isascii() and text.isalnum())) or len(text) % 2:
            self.fail("is not an even number of hexadecimal digits", param, ctx)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            self.fail("is not an even number of hexadecimal digits", param, ctx)
        if not self._fits(len(data)):
            self.fail(f"has {len(data)} bytes, expected {self._expected()}", param, ctx)
        return data

    def _fits(self, length: int) -> bool:
        if self._most is not None:
            return self._lengths[0] <= length <= self._most
        return length in self._lengths

    def _expected(self) -> str:
        if self._most is not None:
            return f"{self._lengths[0]} to {self._most}"
        return " or ".join(str(length) for length in self._lengths)


class Time(_TimeType):
    """RFC 3339 with an offset, or seconds since 1970; the value is aware, UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
                return datetime.fromtimestamp(int(value), UTC)
            time = datetime.fromisoformat(value)
            if "T" not in value.upper() and " " not in value:
                self.fail(f"{value!r} has no time of day: write 2026-01-31T12:00:00Z", param, ctx)
            if time.tzinfo is None:
                self.fail(f"{value!r} has no time zone: add Z or an offset like +02:00", param, ctx)
            return time.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither RFC 3339 (2026-01-31T12:00:00Z) nor unix seconds", param, ctx)


class Within(_SpanType):
    """A span of time: a whole number and ``s``, ``m``, ``h``, ``d`` or ``w``; at most ten years."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        number, unit = value[:-1], _UNITS.get(value[-1:])
        if unit is None or not (number.isascii() and number.isdigit()) or len(number) > _DIGITS:
            self.fail(f"{value!r} is no span of time such as 12h, 7d or 2w", param, ctx)
        seconds = int(number) * unit
        if seconds > _TEN_YEARS:
            self.fail(f"{value!r} is more than ten years", param, ctx)
        return timedelta(seconds=seconds)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TEN_YEARS = 3653 * 86400


class StatusList(_StatusType):
    """TCB statuses in Intel's spelling, any case, separated by commas. ``Revoked`` cannot be accepted."""

    name = "status"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[TcbStatus]:
        if isinstance(value, frozenset):
            return value
        return frozenset(self._status(word.strip(), param, ctx) for word in value.split(","))

    def _status(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> TcbStatus:
        status = _STATUSES.get(word.lower())
        if status is None:
            known = ", ".join(str(item) for item in TcbStatus if item is not TcbStatus.REVOKED)
            self.fail(f"{word!r} is not one of {known}", param, ctx)
        if status is TcbStatus.REVOKED:
            self.fail("Revoked is never acceptable", param, ctx)
        return status
