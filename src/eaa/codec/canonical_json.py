"""The one text of a JSON value that everybody hashes alike [RFC8785]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import orjson
import rfc8785

from eaa.codec.strict_json import MAX_DOCUMENT_BYTES
from eaa.errors import FormatError

__all__ = ["MAX_DEPTH", "Json", "canonical_json"]

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

#: Objects and arrays inside each other, the outermost counted.
MAX_DEPTH = 64
_PLAIN_DEPTH = 8
_SPEC = "[RFC8785 §3.2]"


def canonical_json(value: Json, what: str) -> bytes:
    """``value`` in UTF-8: members sorted, no white space, numbers and strings in their one spelling.

    The text is at most 16 MiB; ``what`` names the value in errors.

    Raises:
        FormatError: ``format.too_deep`` and ``format.too_large``; ``format.not_canonical`` for what no
            such text says alike to all: an integer beyond 2^53, a number that is not finite, text with a
            lone surrogate, or what is not JSON at all.
    """
    try:
        text = _plain(value) or _any(value, what)
    except ValueError as error:  # the library's own, and what it lets through: a key with a lone surrogate
        raise _error(what, _without_value(error), "not_canonical") from None
    if len(text) > MAX_DOCUMENT_BYTES:
        raise _error(what, f"{len(text)} bytes exceed {MAX_DOCUMENT_BYTES}", "too_large")
    return text


def _any(value: Json, what: str) -> bytes:
    _require_shallow(value, what)
    return rfc8785.dumps(value)


def _require_shallow(value: Json, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return
    raise _error(what, f"nested deeper than {MAX_DEPTH}", "too_deep")


def _plain(value: Json) -> bytes | None:
    """The text of what has only text, and few levels of it under names in ASCII: most of what is hashed.

    Others sort names in another order, or write numbers in another way.
    """
    if not _is_plain(value, _PLAIN_DEPTH):
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None  # a lone surrogate, for which there is an error


def _is_plain(value: Json, levels: int) -> bool:
    if not isinstance(value, dict):
        return isinstance(value, str)
    for name, item in value.items():
        if not (levels and isinstance(name, str) and name.isascii()):
            return False
        if not (isinstance(item, str) or _is_plain(item, levels - 1)):
            return False
    return True


def _children(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _without_value(error: ValueError) -> str:
    """What is wrong by the kind of error: the library's own text shows the value."""
    match error:
        case rfc8785.IntegerDomainError():
            return "an integer is beyond 2^53"
        case rfc8785.FloatDomainError():
            return "a number is not finite"
        case _:
            return "a value is not JSON in UTF-8"


def _error(what: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=what, field="JSON", spec=_SPEC, detail=detail)
