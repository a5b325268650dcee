"""Fixed-size structures as a view over their bytes.

A structure is a frozen dataclass with one field, ``raw``, and a class attribute for each field of
the specification's table, with its offset and size. Reading a field slices the received bytes, so
that what is signed, what is parsed and what is encoded are the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self, overload

__all__ = ["BytesField", "Structure", "UintField"]


class BytesField:
    """``size`` bytes at ``offset``."""

    __slots__ = ("end", "offset", "size")

    def __init__(self, offset: int, size: int) -> None:
        self.offset, self.size, self.end = offset, size, offset + size

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Structure, owner: type) -> bytes: ...
    def __get__(self, instance: Structure | None, owner: type) -> Self | bytes:
        return self if instance is None else instance.raw[self.offset : self.end]

    def encode(self, value: Any) -> bytes:
        encoded = bytes(value)
        if len(encoded) != self.size:
            raise ValueError(f"expected {self.size} bytes, came {len(encoded)}")
        return encoded


class UintField(BytesField):
    """A little-endian unsigned integer of ``size`` bytes at ``offset``."""

    __slots__ = ()

    @overload  # type: ignore[override]  # int where the base has bytes: callers know the field
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Structure, owner: type) -> int: ...
    def __get__(self, instance: Structure | None, owner: type) -> Self | int:
        if instance is None:
            return self
        return int.from_bytes(instance.raw[self.offset : self.end], "little")

    def encode(self, value: Any) -> bytes:
        return int(value).to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Structure:
    """``raw`` is exactly :attr:`SIZE` bytes; only a ``parse_…`` function or :meth:`build` makes one."""

    SIZE: ClassVar[int]

    raw: bytes

    @classmethod
    def layout(cls) -> Mapping[str, BytesField]:
        """The fields by name, in the order of their offsets."""
        known = _LAYOUTS.get(cls)
        if known is None:
            fields = {
                name: value
                for base in reversed(cls.__mro__)
                for name, value in vars(base).items()
                if isinstance(value, BytesField)
            }
            ordered = dict(sorted(fields.items(), key=lambda item: item[1].offset))
            known = _LAYOUTS[cls] = MappingProxyType(ordered)
        return known

    @classmethod
    def build(cls, **values: bytes | int) -> Self:
        """A structure with these fields, and zero everywhere else.

        Raises:
            ValueError, OverflowError: a value does not have its field's size.
            KeyError: there is no such field.
        """
        raw = bytearray(cls.SIZE)
        fields = cls.layout()
        for name, value in values.items():
            field = fields[name]
            raw[field.offset : field.end] = field.encode(value)
        return cls(bytes(raw))

    def replace(self, **values: bytes | int) -> Self:
        """This structure with other values in these fields."""
        current: dict[str, bytes | int] = {name: getattr(self, name) for name in self.layout()}
        return type(self).build(**(current | values))

    def encode(self) -> bytes:
        return self.raw


#: They are asked for many times for each quote.
_LAYOUTS: dict[type[Structure], Mapping[str, BytesField]] = {}
