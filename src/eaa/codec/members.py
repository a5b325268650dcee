"""Members of JSON objects that peers sent, by type."""

from __future__ import annotations

from typing import Any

from eaa.errors import FormatError

__all__ = ["bad_member", "object_at", "object_of", "text_at"]

_KINDS = {dict: "an object", list: "an array", str: "text", bool: "a boolean", type(None): "null"}


def object_of(value: Any, what: str, field: str) -> dict[str, Any]:
    """``value`` if it is an object.

    Raises:
        FormatError: ``format.bad_value``.
    """
    if not isinstance(value, dict):
        raise bad_member(what, field, f"expected an object, got {_kind(value)}")
    return value


def object_at(members: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    """The object that is member ``name``; raises ``FormatError``."""
    return object_of(_at(members, name, what), what, name)


def text_at(members: dict[str, Any], name: str, what: str) -> str:
    """The text that is member ``name``; raises ``FormatError``."""
    value = _at(members, name, what)
    if not isinstance(value, str):
        raise bad_member(what, name, f"expected text, got {_kind(value)}")
    return value


def bad_member(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    """The error; ``message`` must not show what came, for that may be evidence."""
    return FormatError(message, what=what, field=field, detail=detail)


def _at(members: dict[str, Any], name: str, what: str) -> Any:
    if name not in members:
        raise bad_member(what, name, "the member is missing", "missing")
    return members[name]


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")
