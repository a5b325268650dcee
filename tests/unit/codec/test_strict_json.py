from __future__ import annotations

import json

import pytest

from eaa.codec.strict_json import (
    MAX_DOCUMENT_BYTES,
    array_elements,
    compact_json,
    member_bytes,
    object_members,
    parse_json,
)
from eaa.errors import FormatError

TEXT = '{ "a" : [ 1 , {"b": "x, y}"} ,[] ] , "tcbInfo":{"k":"\\u00e9",  "n":1.50},"ü":null }'


def test_values_are_json_values() -> None:
    assert parse_json(TEXT, "thing") == json.loads(TEXT) == parse_json(TEXT.encode(), "thing")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "format.not_json"),
        ("{", "format.not_json"),
        ("[1,]", "format.not_json"),
        ("{} x", "format.not_json"),
        ("\ufeff{}", "format.not_json"),
        ("'a'", "format.not_json"),
        ('"\n"', "format.not_json"),
        ("NaN", "format.not_json"),
        ("-Infinity", "format.not_json"),
        ("1e999", "format.not_json"),
        ("9" * 5000, "format.not_json"),
        (b'"\xff"', "format.not_json"),
        ('"\ud800"', "format.not_json"),
        ('{"a":1,"a":1}', "format.duplicate_key"),
        ('[{"x":{"a":1,"b":2,"a":3}}]', "format.duplicate_key"),
        ("[" * 100_000, "format.too_deep"),
        ('{"a":' * 100_000, "format.too_deep"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "format.too_large"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_what_parsers_disagree_about_is_refused(text: str | bytes, code: str) -> None:
    for read in (parse_json, object_members, array_elements):
        with pytest.raises(FormatError) as caught:
            read(text, "thing")
        assert caught.value.code == code
        assert caught.value.what == "thing"


def test_a_long_duplicate_key_is_not_repeated_in_full() -> None:
    key = "k\u20ac" * 10_000
    with pytest.raises(FormatError) as caught:
        parse_json(json.dumps({key: 1})[:-1] + "," + json.dumps(key) + ":2}", "thing")
    assert len(str(caught.value)) < 200
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tcbInfo", '{"k":"\\u00e9",  "n":1.50}'),
        (("tcbInfo", "n"), "1.50"),
        (("a", 0), "1"),
        (("a", 1, "b"), '"x, y}"'),
        (("a", 2), "[]"),
        ("ü", "null"),
        ((), TEXT),
    ],
)
def test_members_are_the_received_bytes(path: str | tuple[str | int, ...], expected: str) -> None:
    assert member_bytes(TEXT, path, "thing") == expected.encode()
    assert member_bytes(TEXT.encode(), path, "thing") == expected.encode()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("b", "b"),
        (("tcbInfo", "x"), "tcbInfo.x"),
        (("a", 3), "a[3]"),
        (("a", -1), "a[-1]"),
        (("a", "b"), "a.b"),
        (("tcbInfo", 0), "tcbInfo[0]"),
        (("ü", "x"), "ü.x"),
    ],
)
def test_a_missing_member_is_named(path: str | tuple[str | int, ...], field: str) -> None:
    with pytest.raises(FormatError) as caught:
        member_bytes(TEXT, path, "thing")
    assert (caught.value.code, caught.value.field) == ("format.missing", field)


def test_all_members_and_elements() -> None:
    members = object_members(TEXT, "thing")
    assert list(members) == ["a", "tcbInfo", "ü"]
    assert members["tcbInfo"] == member_bytes(TEXT, "tcbInfo", "thing")
    assert array_elements(members["a"], "thing") == (b"1", b'{"b": "x, y}"}', b"[]")
    assert object_members(" { } ", "thing") == {}
    assert array_elements("[ ]", "thing") == ()


def test_the_other_container_is_refused() -> None:
    with pytest.raises(FormatError, match="expected an object"):
        object_members("[]", "thing")
    with pytest.raises(FormatError, match="expected an array"):
        array_elements("{}", "thing")


def test_white_space_between_tokens_goes_and_nothing_else() -> None:
    assert compact_json(b'{ "a b" :\t[1 ,\r\n2.50, "\\" \\\\" ] }') == b'{"a b":[1,2.50,"\\" \\\\"]}'
    assert compact_json(b'{"a":1}') == b'{"a":1}'


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":1}', '{\n  "a": 1,\n  "a": 1\n}', "{}\n{}", "[NaN]", "1e999", "[01]", "[1.0e]"],
)
def test_a_text_that_looks_plain_is_read_as_strictly(text: str) -> None:
    with pytest.raises(FormatError):
        parse_json(text, "thing")


@pytest.mark.parametrize("text", ["-0", "-0.0", "1.50", "1E2", "18446744073709551616", "0.1", "1e22", "-1"])
def test_numbers_are_those_of_the_strict_decoder(text: str) -> None:
    expected = json.loads(text)
    assert repr(parse_json(text, "thing")) == repr(expected)


def test_a_text_of_any_length_is_read() -> None:
    value = ["x" * 1000] * 300
    assert parse_json(json.dumps(value, separators=(",", ":")), "thing") == value
