from __future__ import annotations

from eaa.evidence.bits import XFEATURE_BITS, named_bits


def test_names_go_from_low_to_high() -> None:
    assert named_bits(0b1000_0111, XFEATURE_BITS) == ("X87", "SSE", "AVX", "HI16_ZMM")


def test_a_bit_without_a_name_is_shown() -> None:
    assert named_bits(1 << 63 | 1, {0: "A"}) == ("A", "BIT_63")


def test_zero_has_no_names() -> None:
    assert named_bits(0, XFEATURE_BITS) == ()
