"""The files of a configfs-tsm report in one document, as Veraison's tools hand them on [LINUX-TSM].

A map of ``outblob``, ``auxblob`` and ``provider``: JSON with base64url, or CBOR with byte strings. Other
members, such as ``manifestblob`` of a service module's report, are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.codec.base64url import decode_base64url
from eaa.codec.cbor import decode_cbor
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError

__all__ = ["is_tsm_cbor", "parse_tsm_cbor", "parse_tsm_json"]

_WHAT = "TSM report"
#: A map of one to five members; the name of its first as text.
_MAPS = range(0xA1, 0xA6)
_FIRST = tuple(bytes((0x60 + len(name),)) + name for name in (b"outblob", b"auxblob", b"provider"))


def is_tsm_cbor(data: bytes) -> bool:
    """Whether ``data`` begins as such a map in CBOR."""
    return len(data) > 0 and data[0] in _MAPS and data[1:16].startswith(_FIRST)


def parse_tsm_cbor(data: bytes) -> tuple[bytes, bytes]:
    """``outblob`` and ``auxblob``, which is empty if there is none.

    Raises:
        FormatError: not CBOR, or not a map with these.
    """
    members = _members(decode_cbor(data, _WHAT))
    return _octets(members["outblob"], "outblob"), _octets(members.get("auxblob", b""), "auxblob")


def parse_tsm_json(data: bytes) -> tuple[bytes, bytes]:
    """As :func:`parse_tsm_cbor`; base64url with padding or without."""
    members = _members(parse_json(data, _WHAT))
    return _decoded(members["outblob"], "outblob"), _decoded(members.get("auxblob", ""), "auxblob")


def _members(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping) or "outblob" not in value:
        raise _error("outblob", "is missing", "missing")
    return value


def _octets(value: Any, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise _error(name, f"expected bytes, came {type(value).__name__}")
    return value


def _decoded(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise _error(name, f"expected base64url, came {type(value).__name__}")
    return decode_base64url(value.rstrip("="), _WHAT, name)


def _error(name: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=name, spec="[LINUX-TSM]", detail=detail)
