"""DER of AMD's certificates and lists, put together by hand: builders refuse their serial number zero."""

from __future__ import annotations

from datetime import UTC, datetime

from eaa.codec.der import wrap_sequence

__all__ = [
    "bit_string", "boolean", "explicit", "extension", "ia5_string", "integer", "name", "octet_string", "oid",
    "tlv", "utc_time",
]  # fmt: skip

_COMMON_NAME, _ORGANIZATION, _COUNTRY = "2.5.4.3", "2.5.4.10", "2.5.4.6"
_UTF8_STRING, _PRINTABLE_STRING = 0x0C, 0x13


def tlv(tag: int, contents: bytes) -> bytes:
    """One element."""
    return bytes((tag,)) + wrap_sequence(contents)[1:]


def integer(value: int) -> bytes:
    """INTEGER, not negative."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\x00")


def octet_string(value: bytes) -> bytes:
    return tlv(0x04, value)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes((unused,)) + value)


def ia5_string(text: str) -> bytes:
    return tlv(0x16, text.encode("ascii"))


def explicit(number: int, contents: bytes) -> bytes:
    """Context-specific constructed tag ``number`` around ``contents``."""
    return tlv(0xA0 | number, contents)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *arcs = map(int, dotted.split("."))
    return tlv(0x06, b"".join(map(_base_128, (first * 40 + second, *arcs))))


def _base_128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | value & 0x7F)
    return bytes(reversed(octets))


def utc_time(time: datetime) -> bytes:
    """UTCTime of ``time``, aware, between 1950 and 2049."""
    return tlv(0x17, f"{time.astimezone(UTC):%y%m%d%H%M%SZ}".encode())


def name(common_name: str) -> bytes:
    """A Name with country, organisation and common name."""
    parts = (
        (_COUNTRY, tlv(_PRINTABLE_STRING, b"XX")),
        (_ORGANIZATION, tlv(_UTF8_STRING, b"EAA Simulated Vendor")),
        (_COMMON_NAME, tlv(_UTF8_STRING, common_name.encode())),
    )
    return wrap_sequence(b"".join(tlv(0x31, wrap_sequence(oid(kind) + value)) for kind, value in parts))


def extension(dotted: str, critical: bool, value: bytes) -> bytes:
    """One Extension [RFC5280 §4.1]."""
    return wrap_sequence(oid(dotted) + (boolean(True) if critical else b"") + octet_string(value))
