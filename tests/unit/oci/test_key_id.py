from __future__ import annotations

import pytest

from eaa.broker.names import ResourcePath
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.key_id import MAX_KEY_ID_CHARACTERS, KeyId, parse_key_id

PATH = ResourcePath("default", "key", "1")


@pytest.mark.parametrize(
    "text",
    [
        "kbs:///default/key/1",
        "kbs://broker.example:8080/default/key/1",
        "kbs://user@evil.example:1/default/key/1",
        "/default/key/1",
        "broker.example:8080/default/key/1",
        "default/key/1",
    ],
)
def test_a_resource_whatever_its_host(text: str) -> None:
    kid = parse_key_id(text)
    assert kid == KeyId(PATH)
    assert kid.resource_path == PATH
    assert str(kid) == "kbs:///default/key/1"


def test_a_plain_name() -> None:
    kid = parse_key_id("84688df7-2c0c-40fa-956b-29d8e74d16c0")
    assert kid.resource_path is None
    assert str(kid) == "84688df7-2c0c-40fa-956b-29d8e74d16c0"


@pytest.mark.parametrize(
    "text",
    [
        "key/1",
        "a/b/c/d/e",
        "kbs://default",
        "kbs:///default/key",
        "kbs:///default/key/1/2",
        "kbs:///kbs:///default/key/1",
        "a" * (MAX_KEY_ID_CHARACTERS + 1),
    ],
)
def test_no_key_id(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_key_id(text)
    assert caught.value.code == "format.key_id"


@pytest.mark.parametrize(
    "text",
    ["", "..", "kbs:///default/../1", "kbs:////key/1", "kbs:///default/key/1?x=y", "default/key/%31", "a b"],
)
def test_bad_name(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_key_id(text)
    assert caught.value.code == "format.name"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kbs+pkcs11:///default/key/1", "unsupported.key_plugin"),
        ("KBS:///default/key/1", "unsupported.key_scheme"),
        ("https://broker/default/key/1", "unsupported.key_scheme"),
    ],
)
def test_another_scheme(text: str, code: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        parse_key_id(text)
    assert caught.value.code == code
