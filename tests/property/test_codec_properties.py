"""The codec's laws: a text has one meaning, what is encoded is decoded again, and nothing else is raised."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import orjson
from hypothesis import given
from hypothesis import strategies as st

from eaa.codec.pem import decode_pem, decode_pem_certificates, encode_pem, split_chain
from eaa.codec.strict_json import array_elements, compact_json, member_bytes, object_members, parse_json
from eaa.codec.text import decode_base64, decode_hex
from eaa.errors import FormatError

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)
STYLES = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])
JSON_LIKE = st.text(alphabet='{}[]:,"\\ue0123456789.-+eEtrufalsn \n\x00é', max_size=60)


@given(value=VALUES, style=STYLES)
def test_json_is_read_as_it_was_written(value: Any, style: dict[str, Any]) -> None:
    text = json.dumps(value, **style)
    assert parse_json(text, "thing") == value == parse_json(text.encode(), "thing")


@given(value=VALUES, indent=st.sampled_from([0, orjson.OPT_INDENT_2]), newline=st.booleans())
def test_plain_json_means_what_the_strict_decoder_says(value: Any, indent: int, newline: bool) -> None:
    """The fast path is no second opinion: same value, of the same types."""
    with suppress(TypeError):  # an integer of more than 64 bits, or text that is not Unicode
        text = orjson.dumps(value, option=indent | (orjson.OPT_APPEND_NEWLINE if newline else 0))
        assert repr(parse_json(text, "thing")) == repr(json.loads(text))


@given(text=JSON_LIKE, end=st.sampled_from(["", "\n"]))
def test_whatever_the_text_both_decoders_agree(text: str, end: str) -> None:
    with patch("eaa.codec.strict_json.orjson.loads", side_effect=ValueError):
        expected = _outcome(text + end)
    assert _outcome(text + end) == expected


def _outcome(text: str) -> str:
    try:
        return repr(parse_json(text, "thing"))
    except FormatError as error:
        return f"{error.code} {error}"


@given(value=OBJECTS, style=STYLES)
def test_every_member_is_cut_out_of_the_text(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = json.dumps(value, **style).encode()
    members = object_members(text, "thing")
    assert list(members) == list(value)
    for name, raw in members.items():
        assert raw in text
        assert parse_json(raw, "thing") == value[name]
        assert member_bytes(text, name, "thing") == raw


@given(value=st.lists(VALUES, max_size=6), style=STYLES)
def test_every_element_is_cut_out_of_the_text(value: list[Any], style: dict[str, Any]) -> None:
    text = json.dumps(value, **style).encode()
    elements = array_elements(text, "thing")
    assert [parse_json(raw, "thing") for raw in elements] == value
    for index, raw in enumerate(elements):
        assert member_bytes(text, (index,), "thing") == raw


@given(value=VALUES, style=STYLES)
def test_compacting_is_what_a_compact_writer_writes(value: Any, style: dict[str, Any]) -> None:
    compact = {
        **{key: item for key, item in style.items() if key == "ensure_ascii"},
        "separators": (",", ":"),
    }
    assert compact_json(json.dumps(value, **style).encode()) == json.dumps(value, **compact).encode()


@given(data=st.binary(max_size=80) | JSON_LIKE | st.text())
def test_json_is_read_or_refused(data: bytes | str) -> None:
    try:
        value = parse_json(data, "thing")
    except FormatError:
        return
    if isinstance(value, dict):
        assert list(object_members(data, "thing")) == list(value)
    elif isinstance(value, list):
        assert len(array_elements(data, "thing")) == len(value)


@given(
    ders=st.lists(st.binary(max_size=200), min_size=1, max_size=16), newline=st.sampled_from([b"\n", b"\r\n"])
)
def test_pem_is_read_as_it_was_written(ders: list[bytes], newline: bytes) -> None:
    text = b"".join(map(encode_pem, ders)).replace(b"\n", newline)
    assert decode_pem_certificates(text, "chain") == tuple(ders)


@given(der=st.binary(min_size=1, max_size=90), data=st.data())
def test_no_other_text_gives_the_same_der(der: bytes, data: st.DataObject) -> None:
    """But for line breaks: the text around a signed certificate must not be another way to spell it."""
    text = bytearray(encode_pem(der))
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] = data.draw(st.integers(0, 255))
    try:
        again = decode_pem(bytes(text), "CERTIFICATE", "chain")
    except FormatError:
        return
    same = bytes(text).replace(b"\r", b"").replace(b"\n", b"") == encode_pem(der).replace(b"\n", b"")
    assert (again == (der,)) == same


@given(data=st.binary(max_size=200))
def test_text_encodings_are_read_as_they_were_written(data: bytes) -> None:
    assert decode_hex(data.hex(), "thing", "field") == data
    assert decode_hex(data.hex().upper(), "thing", "field", length=len(data)) == data
    assert decode_base64(base64.b64encode(data), "thing", "field", length=len(data)) == data


@given(text=st.text(max_size=40) | st.binary(max_size=40))
def test_text_encodings_are_read_or_refused(text: str | bytes) -> None:
    for decode in (decode_hex, decode_base64):
        with suppress(FormatError):
            decode(text, "thing", "field")


@given(text=st.text(alphabet="AQgw/Zz8=\n", max_size=14))
def test_one_base64_text_for_each_der(text: str) -> None:
    packed = text.replace("\n", "")
    try:
        der = base64.b64decode(packed, validate=True)
    except ValueError:
        der = None
    canonical = der is not None and base64.b64encode(der).decode() == packed
    pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()
    try:
        assert decode_pem(pem, "CERTIFICATE", "thing") == (der,)
    except FormatError:
        assert not canonical
    else:
        assert canonical


@given(ders=st.lists(st.binary(max_size=40), min_size=1, max_size=4), tail=st.sampled_from([b"", b"\n\x00"]))
def test_a_chain_is_its_first_certificate_and_the_others(ders: list[bytes], tail: bytes) -> None:
    text = b"".join(encode_pem(der) for der in ders) + tail
    first, rest = split_chain(text)
    assert first + rest == text
    assert decode_pem_certificates(first, "thing") == (ders[0],)
    assert decode_pem(rest, "CERTIFICATE", "thing") == tuple(ders[1:])


def test_where_the_encoding_of_the_rest_is_open_there_is_none() -> None:
    for text in (b"", b"-----BEGIN", quote(encode_pem(b"x") * 2).encode()):
        assert split_chain(text) == (text, b"")
