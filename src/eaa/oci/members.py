"""Members of JSON objects in images and in what tools say about them."""

from __future__ import annotations

from typing import Any

from eaa.codec.members import bad_member, object_of
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError

__all__ = ["bytes_at", "bytes_of", "optional_object", "parse_object"]


def parse_object(data: bytes | str, what: str, *, limit: int) -> dict[str, Any]:
    """The members of the JSON object that ``data`` is, of at most ``limit`` bytes.

    Raises:
        FormatError: ``format.too_large``, or as :func:`~eaa.codec.strict_json.parse_json`.
    """
    if len(data) > limit:
        raise FormatError(
            f"expected at most {limit} bytes, came {len(data)}", what=what, field="JSON", detail="too_large"
        )
    return object_of(parse_json(data, what), what, "JSON")


def optional_object(members: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    """The object that is member ``name``; empty if it is null or not there. Raises ``FormatError``."""
    value = members.get(name)
    return {} if value is None else object_of(value, what, name)


def bytes_at(members: dict[str, Any], name: str, what: str) -> bytes:
    """The bytes that are member ``name``, as :func:`bytes_of`; raises ``FormatError``."""
    value = members.get(name)
    if value is None:
        raise bad_member(what, name, "the member is missing", "missing")
    return bytes_of(value, what, name)


def bytes_of(value: Any, what: str, field: str) -> bytes:
    """The bytes of base64 text, as Go writes them, or of an array of integers, as Rust does.

    Raises:
        FormatError: ``format.bad_value``.
    """
    if isinstance(value, str):
        return decode_base64(value, what, field)
    if isinstance(value, list) and all(type(item) is int and 0 <= item <= 255 for item in value):
        return bytes(value)
    raise bad_member(what, field, "expected base64 text, or an array of integers from 0 to 255")
