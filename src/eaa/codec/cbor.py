"""CBOR of the subset that attested TLS uses, read strictly and written deterministically [RFC8949 §4.2.1].

Unsigned integers, byte and text strings, arrays, maps with text keys, and tags. One byte sequence is
read for each value: definite lengths, the shortest head, no key twice, nothing after the end. The keys
of a map may come in any order, because the producers that are read here do not sort them.

Real producers deviate in two ways. Whoever reads what they write names which, and where:

- ``wide``: an integer in four bytes whatever its value (version of librats' endorsements).
- ``padded``: the whole of a buffer that grew by doubling from 32 bytes, what follows the value being
  whatever was in it (rats-tls 0.6.4, which passes on libcbor's buffer size for the length).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from eaa.errors import FormatError, UsageError

__all__ = ["CborValue", "Tag", "WideUint32", "decode_cbor", "encode_cbor"]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
UINT, BYTES, TEXT, ARRAY, MAP, TAG = 0, 2, 3, 4, 5, 6
_MAJOR = ("uint", "negative integer", "bstr", "tstr", "array", "map", "tag", "simple value or float")
_SPEC = "[RFC8949 §3]"
#: Additional information of a head whose argument follows in so many bytes.
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_INDEFINITE = 31
_FIRST_ALLOCATION = 32


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value."""

    number: int
    value: CborValue


@dataclass(frozen=True, slots=True)
class WideUint32:
    """An integer to be written in four bytes (``1a xxxxxxxx``) whatever its value."""

    value: int


CborValue: TypeAlias = (
    int | bytes | str | Sequence["CborValue"] | Mapping[str, "CborValue"] | Tag | WideUint32
)


def decode_cbor(
    data: bytes, what: str, *, spec: str = _SPEC, wide: Collection[str] = (), padded: bool = False
) -> CborValue:
    """The one value in ``data``: ``int``, ``bytes``, ``str``, ``tuple``, ``dict`` or :class:`Tag`.

    Args:
        data: at most 64 KiB, nested at most 8 deep.
        what, spec: what this is to be, for errors.
        wide: places of integers that may be in four bytes whatever their value: ``[0]`` is the first item
            of the outermost array, under tags or not.
        padded: whether ``data`` may be a buffer of 32 · 2ⁿ bytes of which the value needs more than half.

    Raises:
        FormatError: anything else; ``field`` is the place.
    """
    if len(data) > MAX_BYTES:
        message = f"{len(data)} bytes exceed {MAX_BYTES}"
        raise FormatError(message, what=what, field="item", offset=0, spec=spec, detail="too_large")
    reader = _Reader(data, what, spec, wide)
    value = reader.value("", 0)
    if reader.offset != len(data) and not (padded and len(data) == _allocated(reader.offset)):
        reader.refuse("item", f"{len(data) - reader.offset} bytes follow the end", "trailing_bytes")
    return value


def _allocated(needed: int) -> int:
    size = _FIRST_ALLOCATION
    while size < needed:
        size *= 2
    return size


class _Reader:
    """Where reading has come to in ``data``."""

    __slots__ = ("data", "offset", "spec", "what", "wide")

    def __init__(self, data: bytes, what: str, spec: str, wide: Collection[str]) -> None:
        self.data = data
        self.offset = 0
        self.what = what
        self.spec = spec
        self.wide = wide

    def value(self, place: str, depth: int) -> CborValue:
        if depth == MAX_DEPTH:
            self.refuse(place, f"nested more than {MAX_DEPTH} deep", "too_deep")
        major, argument = self.head(place)
        if major == UINT:
            return argument
        if major == BYTES:
            return self.take(argument, place)
        if major == TEXT:
            return self.text(argument, place)
        return self.nested(major, argument, place, depth)

    def nested(self, major: int, argument: int, place: str, depth: int) -> CborValue:
        if major == TAG:
            return Tag(argument, self.value(place, depth + 1))
        if major == ARRAY:
            self.need(argument, place)
            return tuple(self.value(f"{place}[{index}]", depth + 1) for index in range(argument))
        if major == MAP:
            return self.map(argument, place, depth)
        return self.refuse(place, f"a {_MAJOR[major]} has no place here", "bad_type", back=1)

    def head(self, place: str) -> tuple[int, int]:
        """Major type and argument."""
        initial = self.take(1, place)[0]
        major, information = initial >> 5, initial & 0x1F
        if information < 24 or major in (1, 7):
            return major, information
        size = _ARGUMENT_BYTES.get(information)
        if size is None:
            kind = "indefinite_length" if information == _INDEFINITE else "bad_value"
            self.refuse(place, f"{_MAJOR[major]} of indefinite or reserved length", kind, back=1)
        argument = int.from_bytes(self.take(size, place), "big")
        shortest = argument >= 24 if size == 1 else argument >> 4 * size
        if not shortest and not (major == UINT and size == 4 and place in self.wide):
            self.refuse(place, f"{argument} is not in the fewest bytes", "not_shortest", back=size + 1)
        return major, argument

    def map(self, count: int, place: str, depth: int) -> dict[str, CborValue]:
        self.need(2 * count, place)
        members: dict[str, CborValue] = {}
        for index in range(count):
            key_place, start = f"{place}.key {index}", self.offset
            major, length = self.head(key_place)
            if major != TEXT:
                message = f"expected text, came a {_MAJOR[major]}"
                self.refuse(key_place, message, "map_key", back=self.offset - start)
            key = self.text(length, key_place)
            if key in members:
                self.refuse(key_place, "is given twice", "duplicate_key", back=self.offset - start)
            members[key] = self.value(f"{place}.{_shown(key, index)}", depth + 1)
        return members

    def text(self, length: int, place: str) -> str:
        try:
            return self.take(length, place).decode()
        except UnicodeDecodeError:
            self.refuse(place, "the text is not UTF-8", "not_utf8", back=length)

    def take(self, length: int, place: str) -> bytes:
        self.need(length, place)
        start = self.offset
        self.offset = start + length
        return self.data[start : self.offset]

    def need(self, length: int, place: str) -> None:
        """Holds if so many bytes are left: each item of an array or map needs one at least."""
        left = len(self.data) - self.offset
        if length > left:
            self.refuse(place, f"needs {length} bytes, {left} are left", "truncated")

    def refuse(self, place: str, message: str, detail: str, *, back: int = 0) -> NoReturn:
        raise FormatError(
            message,
            what=self.what,
            field=place.removeprefix(".") or "item",
            offset=self.offset - back,
            spec=self.spec,
            detail=detail,
        )


def _shown(key: str, index: int) -> str:
    """``key`` as errors name it: it is whoever wrote it who chose it."""
    return key if key.isascii() and key.isprintable() and len(key) <= 32 else f"value {index}"


def encode_cbor(value: CborValue) -> bytes:
    """``value`` in its one deterministic encoding: shortest heads, keys in the order of their bytes.

    Raises:
        UsageError: a value outside the subset, or an integer that does not fit.
    """
    match value:
        case int() if not isinstance(value, bool):
            return _head(UINT, value)
        case bytes():
            return _head(BYTES, len(value)) + value
        case str():
            text = _utf8(value)
            return _head(TEXT, len(text)) + text
        case WideUint32(number) if 0 <= number < 1 << 32:
            return b"\x1a" + number.to_bytes(4, "big")
        case _:
            return _encode_nested(value)


def _encode_nested(value: CborValue) -> bytes:
    match value:
        case Tag(number, inner):
            return _head(TAG, number) + encode_cbor(inner)
        case tuple() | list():
            return _head(ARRAY, len(value)) + b"".join(encode_cbor(item) for item in value)
        case Mapping() if all(isinstance(key, str) for key in value):
            pairs = sorted((encode_cbor(key), encode_cbor(item)) for key, item in value.items())
            return _head(MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
        case _:
            raise UsageError(f"this {type(value).__name__} is not encoded as CBOR here", detail="cbor_value")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UsageError("text with lone surrogates is not encoded as CBOR", detail="cbor_value") from None


def _head(major: int, argument: int) -> bytes:
    if not 0 <= argument < 1 << 64:
        raise UsageError("an integer does not fit into a CBOR head", detail="cbor_value")
    if argument < 24:
        return bytes((major << 5 | argument,))
    information = next(key for key, size in _ARGUMENT_BYTES.items() if argument < 1 << 8 * size)
    return bytes((major << 5 | information,)) + argument.to_bytes(_ARGUMENT_BYTES[information], "big")
