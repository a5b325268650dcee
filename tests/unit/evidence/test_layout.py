from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import pytest

from eaa.evidence.layout import BytesField, Structure, UintField


@dataclass(frozen=True, slots=True)
class Point(Structure):
    SIZE: ClassVar[int] = 8

    tag = BytesField(2, 3)
    x = UintField(0, 2)


@dataclass(frozen=True, slots=True)
class Point3(Point):
    SIZE: ClassVar[int] = 10

    z = UintField(8, 2)


def test_fields_are_views_over_the_bytes() -> None:
    point = Point(b"\x01\x02abc\x00\x00\x00")
    assert (point.x, point.tag) == (0x0201, b"abc")
    assert point.encode() is point.raw


def test_layout_is_in_the_order_of_offsets_and_inherited() -> None:
    assert list(Point.layout()) == ["x", "tag"]
    assert list(Point3.layout()) == ["x", "tag", "z"]
    assert (Point.tag.offset, Point.tag.size, Point.tag.end) == (2, 3, 5)
    assert Point.x.offset == 0


def test_build_leaves_the_rest_zero() -> None:
    assert Point.build(tag=b"abc").raw == b"\x00\x00abc\x00\x00\x00"
    assert Point3.build(z=1).raw == bytes(8) + b"\x01\x00"
    assert Point.build(x=0x0201, tag=b"abc").replace(x=3).raw == b"\x03\x00abc\x00\x00\x00"


def test_a_value_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 3 bytes, came 2"):
        Point.build(tag=b"ab")
    with pytest.raises(OverflowError):
        Point.build(x=65536)
    with pytest.raises(KeyError):
        Point.build(y=1)


def test_structures_are_values() -> None:
    assert Point(bytes(8)) == Point(bytes(8)) != Point3(bytes(10))
    with pytest.raises(FrozenInstanceError):
        Point(bytes(8)).raw = b""  # type: ignore[misc]  # the case
