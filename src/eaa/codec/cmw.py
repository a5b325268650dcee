"""Conceptual message wrappers, in JSON and in CBOR [CMW §3].

A record is ``[type, value, ?ind]``: ``type`` a media type or a CoAP content format, ``value`` the message
(in JSON base64url without padding), ``ind`` a bitmap of what the message is. In CBOR a tag from a range of
its own may stand for the record: its number says the content format. Collections of records are recognised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eaa.codec.base64url import decode_base64url
from eaa.codec.cbor import Tag, decode_cbor
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError, UnsupportedError

__all__ = ["CmwRecord", "parse_cmw_cbor", "parse_cmw_json"]

#: Tag of content format 0; that of format n is n more [RFC9277 §4.3].
FIRST_TAG, LAST_TAG = 1668546817, 1668612095
MAX_CONTENT_FORMAT = 0xFFFF
#: Reference values, endorsements, evidence, attestation results, and what may be registered.
MAX_INDICATOR = 0xFFFFFFFF
_WHAT = "CMW"
_SPEC = "[CMW §3]"
_CBOR_MAP = 5


@dataclass(frozen=True, slots=True)
class CmwRecord:
    """One message and what it is."""

    type: str | int
    value: bytes
    indicator: int | None = None


def parse_cmw_cbor(data: bytes) -> CmwRecord:
    """The record in ``data``, a CBOR array or a tag.

    Raises:
        FormatError: neither of these.
        UnsupportedError: a collection.
    """
    if data[:1] and data[0] >> 5 == _CBOR_MAP:
        raise _collection()
    item = decode_cbor(data, _WHAT, spec=_SPEC)
    if not isinstance(item, Tag):
        return _record(item, lambda value: value if isinstance(value, bytes) else None)
    if not FIRST_TAG <= item.number <= LAST_TAG:
        raise _error("tag", f"{item.number} stands for no content format")
    if not isinstance(item.value, bytes):
        raise _error("tag", "the tagged message is not a byte string")
    return CmwRecord(item.number - FIRST_TAG, item.value)


def parse_cmw_json(data: bytes) -> CmwRecord:
    """The record in ``data``, a JSON array.

    Raises:
        FormatError: no JSON, or another value.
        UnsupportedError: a collection.
    """
    item = parse_json(data, _WHAT)
    if isinstance(item, dict):
        raise _collection()
    return _record(item, _base64url)


def _record(item: Any, octets: Any) -> CmwRecord:
    if isinstance(item, str | bytes) or not isinstance(item, Sequence) or len(item) not in (2, 3):
        raise _error("record", "expected an array of two or three")
    kind, value, *rest = item
    if not (isinstance(kind, str) and kind) and not _is_uint(kind, MAX_CONTENT_FORMAT):
        raise _error("type", "expected a media type or a content format")
    if (message := octets(value)) is None:
        raise _error("value", "expected bytes")
    if rest and not (_is_uint(rest[0], MAX_INDICATOR) and rest[0]):
        raise _error("ind", "expected an indicator, a positive integer")
    return CmwRecord(kind, message, rest[0] if rest else None)


def _is_uint(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _base64url(value: Any) -> bytes | None:
    """The bytes, or ``None`` if ``value`` is not their one base64url text [RFC4648 §5]."""
    if not isinstance(value, str):
        return None
    try:
        return decode_base64url(value, "CMW", "value")
    except FormatError:
        return None


def _collection() -> UnsupportedError:
    return UnsupportedError("CMW: collections of records are not supported", detail="cmw_collection")


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC)
