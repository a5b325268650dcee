"""A bounded little-endian byte reader whose every failure names the field and its offset."""

from __future__ import annotations

from eaa.errors import FormatError

__all__ = ["Reader"]


class Reader:
    """Reads one structure from ``data``, front to back.

    ``what`` and ``spec`` go into each error; ``base`` is added to the offsets that errors name, so
    that a nested structure reports offsets of the whole. Nothing is ever read past the end.
    """

    __slots__ = ("_base", "_data", "_offset", "_spec", "_what")

    def __init__(self, data: bytes, what: str, spec: str, *, base: int = 0) -> None:
        self._data = data
        self._offset = 0
        self._what = what
        self._spec = spec
        self._base = base

    @property
    def offset(self) -> int:
        """Offset of the next byte, ``base`` included."""
        return self._base + self._offset

    @property
    def remaining(self) -> int:
        return len(self._data) - self._offset

    def take(self, length: int, field: str) -> bytes:
        """The next ``length`` bytes; :class:`FormatError` (``format.truncated``) if there are fewer."""
        end = self._offset + length
        if end > len(self._data):
            raise self.error(field, f"needs {length} bytes, {self.remaining} are left", detail="truncated")
        value = self._data[self._offset : end]
        self._offset = end
        return value

    def u8(self, field: str) -> int:
        return self.take(1, field)[0]

    def u16(self, field: str) -> int:
        return int.from_bytes(self.take(2, field), "little")

    def u32(self, field: str) -> int:
        return int.from_bytes(self.take(4, field), "little")

    def u64(self, field: str) -> int:
        return int.from_bytes(self.take(8, field), "little")

    def end(self, field: str) -> None:
        """Holds only at the end of the data; :class:`FormatError` (``format.trailing_bytes``) otherwise."""
        if self.remaining:
            raise self.error(field, f"{self.remaining} bytes follow the end", detail="trailing_bytes")

    def error(
        self, field: str, message: str, *, offset: int | None = None, detail: str = "bad_value"
    ) -> FormatError:
        """A :class:`FormatError` about ``field``; ``offset`` defaults to the next byte."""
        return FormatError(
            message,
            what=self._what,
            field=field,
            offset=self.offset if offset is None else offset,
            spec=self._spec,
            detail=detail,
        )
