"""JSON that refuses what parsers disagree about: duplicate keys, NaN, floods, abysses.

Signed vendor documents are verified over the exact bytes of one member, so :func:`member_bytes`
returns the received bytes and never a re-serialisation.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from eaa.errors import FormatError

__all__ = ["MAX_DOCUMENT_BYTES", "member_bytes", "parse_json"]

#: Larger than any vendor document seen (a whole platform collateral is below 1 MiB).
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
_SPEC = "[RFC8259]"


def parse_json(data: bytes | str, what: str) -> Any:
    """The value of ``data``, UTF-8 JSON text of at most 16 MiB.

    Raises:
        FormatError: not JSON, not UTF-8, too large, too deep, a key given twice, or a number that
            is not finite.
    """
    text = _text(data, what)
    try:
        return _DECODER.decode(text)
    except _DuplicateKey as error:
        raise _error(what, str(error.args[0]), "the key is given twice", "duplicate_key") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            error.msg, what=what, field="JSON", offset=error.pos, spec=_SPEC, detail="not_json"
        ) from None
    except ValueError as error:
        raise _error(what, "JSON", str(error), "not_json") from None
    except RecursionError:
        # The decoder's own recursion guard: bounded stack, no partial value.
        raise _error(what, "JSON", "nested too deeply", "too_deep") from None


def member_bytes(data: bytes, key: str, what: str) -> bytes:
    """The exact received bytes of member ``key`` of the JSON object in ``data``.

    Raises:
        FormatError: as :func:`parse_json`, or the member is missing.
    """
    value = parse_json(data, what)
    if not isinstance(value, dict) or key not in value:
        raise _error(what, key, "the member is missing", "missing")
    text = _text(data, what)
    position = _skip(text, text.index("{") + 1)
    while True:
        name, position = _DECODER.raw_decode(text, position)
        start = _skip(text, text.index(":", position) + 1)
        _, end = _DECODER.raw_decode(text, start)
        if name == key:
            return text[start:end].encode()
        position = _skip(text, text.index(",", end) + 1)


class _DuplicateKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return value


def _not_finite(token: str) -> NoReturn:
    raise ValueError(f"{token} is not a JSON number")


def _finite(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_not_finite, parse_float=_finite)


def _text(data: bytes | str, what: str) -> str:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise _error(what, "JSON", f"{len(data)} bytes exceed {MAX_DOCUMENT_BYTES}", "too_large")
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            "not UTF-8", what=what, field="JSON", offset=error.start, spec=_SPEC, detail="not_json"
        ) from None


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\n\r":
        position += 1
    return position


def _error(what: str, field: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
