"""Members of the JSON in which guest components write evidence, by type and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eaa.errors import FormatError

__all__ = ["JsonMembers"]


@dataclass(frozen=True, slots=True)
class JsonMembers:
    """Reads members of one kind of evidence; ``what`` and ``spec`` are in each error, ``max_bytes`` a bound.

    No error shows what came, for that may be evidence.
    """

    what: str
    spec: str
    max_bytes: int

    def object_of(self, value: Any, field: str) -> dict[str, Any]:
        """``value`` if it is an object; raises FormatError."""
        if not isinstance(value, dict):
            raise self.bad_member(field, "expected an object")
        return value

    def refuse_others(self, members: dict[str, Any], known: set[str], field: str) -> None:
        """Holds if ``members`` has none that is not ``known``."""
        if unknown := members.keys() - known:
            raise self.bad_member(field, f"{len(unknown)} unknown members, such as {min(unknown)!a:.40}")

    def number(self, members: dict[str, Any], name: str, size: int) -> int:
        """The number that is member ``name`` and fits into ``size`` bytes; raises FormatError."""
        value = members.get(name)
        if type(value) is not int or not 0 <= value < 1 << 8 * size:
            raise self.bad_member(name, f"expected a number of {size} bytes")
        return value

    def octets(self, members: dict[str, Any], name: str, size: int | None) -> bytes:
        """The array of numbers that is member ``name``: ``size`` bytes, or at most ``max_bytes``.

        Raises:
            FormatError
        """
        value = members.get(name)
        if isinstance(value, list) and len(value) <= self.max_bytes and set(map(type, value)) <= {int}:
            try:
                data = bytes(value)
            except ValueError:
                data = None
            if data is not None and (size is None or len(data) == size):
                return data
        shown = f"at most {self.max_bytes // 1024} Ki" if size is None else str(size)
        raise self.bad_member(name, f"expected an array of {shown} bytes")

    def bad_member(self, field: str, message: str, detail: str = "bad_value") -> FormatError:
        """The error; ``message`` must not show what came."""
        return FormatError(message, what=self.what, field=field, spec=self.spec, detail=detail)
