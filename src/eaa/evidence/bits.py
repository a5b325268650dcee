"""Bit fields as names."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["XFEATURE_BITS", "named_bits"]

#: State components of XCR0 and IA32_XSS, as in SGX XFRM and TDX XFAM [SDM-1 §13.1].
XFEATURE_BITS: Mapping[int, str] = {
    0: "X87",
    1: "SSE",
    2: "AVX",
    3: "BNDREGS",
    4: "BNDCSR",
    5: "OPMASK",
    6: "ZMM_HI256",
    7: "HI16_ZMM",
    8: "PT",
    9: "PKRU",
    10: "PASID",
    11: "CET_U",
    12: "CET_S",
    13: "HDC",
    14: "UINTR",
    15: "LBR",
    16: "HWP",
    17: "TILECFG",
    18: "TILEDATA",
    19: "APX",
}


def named_bits(value: int, names: Mapping[int, str]) -> tuple[str, ...]:
    """The names of the bits set in ``value``, low to high; an unnamed bit n is ``BIT_n``."""
    return tuple(names.get(bit, f"BIT_{bit}") for bit in range(value.bit_length()) if value >> bit & 1)
