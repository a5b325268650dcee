"""base64url, of which each value has one text."""

from __future__ import annotations

import pytest

from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.errors import FormatError


def test_base64url() -> None:
    assert [decode_base64url(encode_base64url(b"\xff" * n), "thing", "f") for n in range(5)] == [
        b"\xff" * n for n in range(5)
    ]


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A+A_", "AA\n", "ä", "AA AA", "\ud800"])
def test_not_base64url(text: str) -> None:
    with pytest.raises(FormatError) as raised:
        decode_base64url(text, "thing", "field")
    assert raised.value.code == "format.base64url"
