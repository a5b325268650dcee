from __future__ import annotations

import pytest

from eaa.codec.text import decode_base64, decode_hex
from eaa.errors import FormatError


@pytest.mark.parametrize("text", ["00fF", b"00fF"])
def test_hex(text: str | bytes) -> None:
    assert decode_hex(text, "thing", "field") == b"\x00\xff"
    assert decode_hex(text, "thing", "field", length=2) == b"\x00\xff"


@pytest.mark.parametrize("text", ["0", "0g", "00 ff", "0x00", "٠٠", b"\xff\xff"])
def test_hex_is_strict(text: str | bytes) -> None:
    with pytest.raises(FormatError, match="thing: field: not hexadecimal"):
        decode_hex(text, "thing", "field")


@pytest.mark.parametrize("text", ["AP8=", b"AP8="])
def test_base64(text: str | bytes) -> None:
    assert decode_base64(text, "thing", "field") == b"\x00\xff"
    assert decode_base64(text, "thing", "field", length=2) == b"\x00\xff"


@pytest.mark.parametrize("text", ["AP8", "AP8-", "AP8=\n", "=AP8", "AP8=AP8=", "ÄP8="])
def test_base64_is_strict(text: str) -> None:
    with pytest.raises(FormatError, match="thing: field: not base64"):
        decode_base64(text, "thing", "field")


@pytest.mark.parametrize("length", [1, 3])
def test_another_length_is_refused(length: int) -> None:
    with pytest.raises(FormatError, match=f"expected {length} bytes, came 2"):
        decode_hex("00ff", "thing", "field", length=length)
    with pytest.raises(FormatError, match=f"expected {length} bytes, came 2"):
        decode_base64("AP8=", "thing", "field", length=length)
