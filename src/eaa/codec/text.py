"""Hexadecimal and base64 as people paste them, decoded strictly."""

from __future__ import annotations

import binascii

from eaa.errors import FormatError

__all__ = ["decode_base64", "decode_hex"]


def decode_hex(text: str | bytes, what: str, field: str, *, length: int | None = None) -> bytes:
    """The bytes of an even run of hex digits, any case, no separators; exactly ``length`` if given."""
    try:
        raw = text.encode("ascii") if isinstance(text, str) else bytes(text)
        value = binascii.unhexlify(raw)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _error(what, field, f"not hexadecimal: {error}") from None
    return _sized(value, what, field, length)


def decode_base64(text: str | bytes, what: str, field: str, *, length: int | None = None) -> bytes:
    """The bytes of standard base64 with padding; exactly ``length`` if given."""
    try:
        raw = text.encode("ascii") if isinstance(text, str) else bytes(text)
        value = binascii.a2b_base64(raw, strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _error(what, field, f"not base64: {error}") from None
    return _sized(value, what, field, length)


def _sized(value: bytes, what: str, field: str, length: int | None) -> bytes:
    if length is not None and len(value) != length:
        raise _error(what, field, f"expected {length} bytes, came {len(value)}")
    return value


def _error(what: str, field: str, message: str) -> FormatError:
    return FormatError(message, what=what, field=field)
