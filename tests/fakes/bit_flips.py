"""Data with one bit flipped."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["flips"]


def flips(data: bytes, *, bits: int) -> Iterator[bytes]:
    """``data`` with one bit flipped: at each byte, ``bits`` of its eight in turn."""
    for index in range(len(data)):
        for bit in range(bits):
            flipped = bytearray(data)
            flipped[index] ^= 1 << (index + bit) % 8
            yield bytes(flipped)
