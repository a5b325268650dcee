"""configfs-tsm's files in one document: what is taken out, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eaa.codec.cbor import encode_cbor
from eaa.errors import FormatError
from eaa.evidence.tsm_report import is_tsm_cbor, parse_tsm_cbor, parse_tsm_json

OUT, AUX = bytes(range(250, 256)) * 9, b"\xfb\xff\xfe"


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


@pytest.mark.parametrize("padded", [True, False])
def test_json(padded: bool) -> None:
    members = {"auxblob": text(AUX), "outblob": text(OUT), "provider": "sev_guest\n", "generation": 1}
    if not padded:
        members |= {name: text(data).rstrip("=") for name, data in (("auxblob", AUX), ("outblob", OUT))}
    assert parse_tsm_json(json.dumps(members).encode()) == (OUT, AUX)
    assert parse_tsm_json(json.dumps({"outblob": text(OUT)}).encode()) == (OUT, b"")


def test_cbor() -> None:
    data = encode_cbor({"outblob": OUT, "auxblob": AUX, "provider": "sev_guest\n"})
    assert is_tsm_cbor(data)
    assert parse_tsm_cbor(data) == (OUT, AUX)
    assert parse_tsm_cbor(encode_cbor({"outblob": OUT})) == (OUT, b"")


@pytest.mark.parametrize(
    "data", [b"", b"\xa1", b"\xa1\x65other\x40", b"\xa0\x67outblob\x40", b"\xb8\x67outblob"]
)
def test_what_is_no_such_map(data: bytes) -> None:
    assert not is_tsm_cbor(data)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"auxblob": ""}, "format.missing"),
        ([], "format.missing"),
        ({"outblob": 1}, "format.bad_value"),
        ({"outblob": None}, "format.bad_value"),
        ({"outblob": "", "auxblob": []}, "format.bad_value"),
        ({"outblob": "+/=="}, "format.base64url"),
    ],
)
def test_refused_json(members: Any, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tsm_json(json.dumps(members).encode())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("members", "code"), [({"auxblob": b""}, "format.missing"), ({"outblob": "text"}, "format.bad_value")]
)
def test_refused_cbor(members: Any, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tsm_cbor(encode_cbor(members))
    assert caught.value.code == code


@given(st.binary(max_size=64), st.booleans())
def test_whatever_comes_is_read_or_refused(data: bytes, as_map: bool) -> None:
    for parse, start in ((parse_tsm_json, b'{"outblob":'), (parse_tsm_cbor, b"\xa1\x67outblob")):
        try:
            parse(start + data if as_map else data)
        except FormatError:
            continue
