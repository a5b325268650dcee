"""Reference values as Trustee's clients send them, and how long a reference value holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, UnsupportedError

__all__ = ["MAX_MESSAGE_BYTES", "months_after", "parse_reference_message"]

MAX_MESSAGE_BYTES = 2 * 1024 * 1024
_VERSION = "0.1.0"
_WHAT = "reference value message"
_UNSIGNED_FORMATS = ("swid", "corim")


def parse_reference_message(text: bytes) -> Mapping[str, Any]:
    """Values by name of a message of RVPS: ``{"version":"0.1.0","type":"sample","payload":<base64>}``.

    The payload is a JSON object of any JSON by name. ``text`` has at most 2 MiB.

    Raises:
        FormatError: ``format.reference_message``, or no JSON.
        UnsupportedError: ``unsupported.reference_format``: ``swid`` and ``corim``, whose signatures
            nobody would have verified.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise _error("length", f"{len(text)} bytes exceed {MAX_MESSAGE_BYTES}")
    message = parse_json(text, _WHAT)
    if not isinstance(message, dict):
        raise _error("JSON", "expected an object")
    if message.get("version") != _VERSION:
        raise _error("version", f"expected {_VERSION!r}, got {message.get('version')!r:.40}")
    if message.get("type") in _UNSIGNED_FORMATS:
        raise UnsupportedError(
            f"reference values of type {message['type']} are not supported, expected sample",
            detail="reference_format",
        )
    if message.get("type") != "sample":
        raise _error("type", f"expected 'sample', got {message.get('type')!r:.40}")
    payload = message.get("payload")
    if not isinstance(payload, str):
        raise _error("payload", "expected base64 text")
    values = parse_json(decode_base64(payload, _WHAT, "payload"), f"{_WHAT} payload")
    if not isinstance(values, dict) or not values:
        raise _error("payload", "expected a JSON object with at least one reference value")
    return values


def months_after(now: datetime, months: int) -> datetime:
    """The same day and time ``months`` later, or the last day of that month if it is shorter."""
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    for day in range(now.day, now.day - 4, -1):
        try:
            return now.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise FormatError(f"{months} months after {now.year} is out of range", what="expiry", field="months")


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, detail="reference_message")
