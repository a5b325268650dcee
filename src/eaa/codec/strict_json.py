"""JSON that refuses what parsers disagree about: duplicate keys, NaN, floods, abysses.

Signed vendor documents are verified over the exact bytes of one member, so :func:`member_bytes`,
:func:`object_members` and :func:`array_elements` return the received bytes and never a re-serialisation.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

from eaa.errors import FormatError

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "array_elements",
    "compact_json",
    "member_bytes",
    "object_members",
    "parse_json",
]

#: Larger than any vendor document seen (a whole platform collateral is below 1 MiB).
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
#: Up to here a text is tried as :func:`_parse_plain` has it: a bound on what a text that is not costs twice.
_PLAIN_BYTES = 256 * 1024
_SPEC = "[RFC8259]"


def parse_json(data: bytes | str, what: str) -> Any:
    """The value of ``data``, UTF-8 JSON text of at most 16 MiB.

    Raises:
        FormatError: not JSON, not UTF-8, too large, too deep, a key given twice, or a number that
            is not finite.
    """
    if len(data) <= _PLAIN_BYTES:
        try:
            return _parse_plain(data if isinstance(data, bytes) else data.encode())
        except (ValueError, TypeError):
            pass  # what is wrong, if anything, is for the strict decoder to say
    text = _text(data, what)
    try:
        return _DECODER.decode(text)
    except _DuplicateKey as error:
        raise _error(what, _shown(error.args[0]), "the key is given twice", "duplicate_key") from None
    except json.JSONDecodeError as error:
        raise FormatError(
            error.msg, what=what, field="JSON", offset=error.pos, spec=_SPEC, detail="not_json"
        ) from None
    except ValueError as error:
        raise _error(what, "JSON", str(error), "not_json") from None
    except RecursionError:
        # The decoder's own recursion guard: bounded stack, no partial value.
        raise _error(what, "JSON", "nested too deeply", "too_deep") from None


def _parse_plain(data: bytes) -> Any:
    """The value of a text that is exactly how ``orjson`` writes its value, compact or indented by two.

    Vendors' documents and dcap-qvl's files are. Such a text has each key once, and only numbers that
    mean the same to every reader; another text, which may be JSON all the same, is a ValueError or TypeError.
    """
    value = orjson.loads(data)
    options = orjson.OPT_INDENT_2 if data[1:2] == b"\n" else 0
    if data.endswith(b"\n"):
        options |= orjson.OPT_APPEND_NEWLINE
    if orjson.dumps(value, option=options) != data:
        raise ValueError
    return value


def member_bytes(data: bytes | str, path: str | tuple[str | int, ...], what: str) -> bytes:
    """The exact received bytes of one member of the JSON text ``data``.

    ``path`` is the member's name, or names of members and indices of elements from the outside in.

    Raises:
        FormatError: as :func:`parse_json`, or there is nothing at ``path``.
    """
    value, text = parse_json(data, what), _text(data, what)
    path = (path,) if isinstance(path, str) else path
    for depth, step in enumerate(path):
        if not _holds(value, step):
            raise _error(what, _dotted(path[: depth + 1]), "the member is missing", "missing")
        value = value[step]
        start, end = next(span for name, *span in _children(text) if name == step)
        text = text[start:end]
    return text.encode()


def object_members(data: bytes | str, what: str) -> dict[str, bytes]:
    """The exact received bytes of every member of the JSON object in ``data``, in one pass.

    Raises:
        FormatError: as :func:`parse_json`, or ``data`` is not an object.
    """
    if not isinstance(parse_json(data, what), dict):
        raise _error(what, "JSON", "expected an object", "bad_value")
    text = _text(data, what)
    return {str(name): text[start:end].encode() for name, start, end in _children(text)}


def array_elements(data: bytes | str, what: str) -> tuple[bytes, ...]:
    """The exact received bytes of every element of the JSON array in ``data``, in one pass.

    Raises:
        FormatError: as :func:`parse_json`, or ``data`` is not an array.
    """
    if not isinstance(parse_json(data, what), list):
        raise _error(what, "JSON", "expected an array", "bad_value")
    text = _text(data, what)
    return tuple(text[start:end].encode() for _, start, end in _children(text))


def compact_json(data: bytes) -> bytes:
    """``data``, which is JSON, without the white space between its tokens.

    That is what ``JSON.stringify`` makes of a vendor's compact document which somebody has reformatted.
    Tokens, their order and their spelling are as received.
    """
    return _SPACED.sub(lambda match: match[1] or b"", data)


_SPACED = re.compile(rb'("(?:[^"\\]|\\.)*+")|[ \t\r\n]++', re.DOTALL)


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and 0 <= step < len(value)


def _children(text: str) -> Iterator[tuple[str | int, int, int]]:
    """Name or index, start and end of each child of the object or array in ``text``, known to be valid."""
    position = _skip(text, 0)
    closing = {"{": "}", "[": "]"}[text[position]]
    position = _skip(text, position + 1)
    index = 0
    while text[position] != closing:
        name: str | int = index
        if closing == "}":
            name, position = _DECODER.raw_decode(text, position)
            position = _skip(text, _skip(text, position) + 1)
        _, end = _DECODER.raw_decode(text, position)
        yield name, position, end
        index += 1
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class _DuplicateKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKey(Counter(key for key, _ in pairs).most_common(1)[0][0])
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
    try:
        if isinstance(data, str):
            data.encode()  # a lone surrogate came from an escape in the text around
            return data
        return data.decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise FormatError(
            "not UTF-8",
            what=what,
            field="JSON",
            offset=getattr(error, "start", None),
            spec=_SPEC,
            detail="not_json",
        ) from None


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\n\r":
        position += 1
    return position


def _shown(key: str) -> str:
    """``key``, which is untrusted, for an error message."""
    return f"{ascii(key)[1:-1]:.64}"


def _error(what: str, field: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
