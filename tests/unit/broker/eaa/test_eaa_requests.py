from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from eaa.broker.eaa import answer, parse_request
from eaa.broker.eaa.names import KeyName
from eaa.broker.eaa.parsing import MAX_ITEMS
from eaa.broker.eaa.requests import (
    Blob,
    Decrypt,
    Echo,
    GetKek,
    GetNamed,
    GetResource,
    GetResourceInfo,
    Malformed,
    Request,
    Version,
)
from eaa.broker.names import ResourcePath
from eaa.errors import FormatError

IV = b"i" * 12
#: Ciphertext and tag, of any bytes.
SEALED = b"c" * 20
BLOB = {
    "kid": "kek-1",
    "encrypted_data": base64.b64encode(SEALED).decode(),
    "algorithm": "AES",
    "key_length": 256,
    "iv": base64.b64encode(IV).decode(),
}


def parse(**members: Any) -> Request:
    return parse_request(json.dumps(members).encode())


def malformed(**members: Any) -> Malformed:
    request = parse(**members)
    assert isinstance(request, Malformed)
    return request


def fail(error: str) -> bytes:
    return b'{"data":{},"error":"' + error.encode() + b'","status":"Fail"}'


def short(error: str) -> bytes:
    return b'{"error":"' + error.encode() + b'","status":"Fail"}'


def test_version() -> None:
    assert parse(command="version") == Version()
    assert parse(command="version", optional={}, more=1) == Version()


def test_echo() -> None:
    assert parse(command="echo", data="é") == Echo("é")
    assert parse(command="echo", data="") == Echo("")


@pytest.mark.parametrize("algorithm", ["AES", "A256GCM"])
@pytest.mark.parametrize(
    ("kid", "path"),
    [
        ("kek-1", None),
        ("default/key/1", ResourcePath("default", "key", "1")),
        ("kbs:///default/key/1", ResourcePath("default", "key", "1")),
    ],
)
def test_decrypt(algorithm: str, kid: str, path: ResourcePath | None) -> None:
    request = parse(command="Decrypt", blobs=[BLOB | {"algorithm": algorithm, "kid": kid}])
    assert request == Decrypt((Blob(KeyName(kid, path), BLOB["encrypted_data"], SEALED, IV),))  # type: ignore[arg-type]  # the table has a number too


def test_nothing_to_decrypt() -> None:
    assert parse(command="Decrypt", blobs=[]) == Decrypt(())


def test_get_kek() -> None:
    request = parse(command="Get KEK", kids=["a", "kbs:///r/t/g"])
    assert request == GetKek((KeyName("a", None), KeyName("kbs:///r/t/g", ResourcePath("r", "t", "g"))))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Policy", "default/security-policy/test"),
        ("Sigstore Config", "default/sigstore-config/test"),
        ("GPG Keyring", "default/gpg-public-config/test"),
        ("Cosign Key", "default/cosign-public-key/test"),
        ("Credential", "default/credential/test"),
    ],
)
def test_files_of_v1_are_resources(name: str, path: str) -> None:
    for optional in ({}, {"anything": [1]}):
        request = parse(command=f"Get {name}", optional=optional)
        assert isinstance(request, GetNamed)
        assert (request.name, str(request.file.path)) == (name, path)
    assert parse(command="Get Resource Info", name=name) == GetResourceInfo(name, ResourcePath.parse(path))


@pytest.mark.parametrize("name", ["r/t/g", "kbs:///r/t/g"])
def test_resources(name: str) -> None:
    path = ResourcePath("r", "t", "g")
    assert parse(command="Get Resource", optional={"resource_path": name}) == GetResource(path)
    assert parse(command="Get Resource Info", name=name) == GetResourceInfo(name, path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{]", "format.not_json"),
        (b'{"command":"version","command":"version"}', "format.duplicate_key"),
        (b'{"command":"version",}', "format.not_json"),
        (b"{'command':'version'}", "format.not_json"),
        (b'{"command":"version\xff"}', "format.not_json"),
        (b"[]", "format.bad_value"),
        (b"{}", "format.command"),
        (b'{"command":null}', "format.command"),
        (b'{"command":["version"]}', "format.command"),
        (b'{"command":"Version"}', "format.command"),
        (b'{"command":"Get Anything"}', "format.command"),
    ],
)
def test_what_the_original_does_not_answer(text: bytes, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_request(text)
    assert caught.value.code == code


@pytest.mark.parametrize("members", [{}, {"data": None}, {"data": 1}, {"data": "\ud800"}])
def test_echo_of_no_text(members: dict[str, Any]) -> None:
    request = malformed(command="echo", **members)
    assert request.error.field == "data"
    assert (request.reply.data, request.reply.disconnect) == (b"Echo parameters error", True)


@pytest.mark.parametrize(
    ("blobs", "code"),
    [
        (None, "format.missing"),
        ({}, "format.bad_value"),
        ("", "format.bad_value"),
        ([BLOB] * 65, "format.too_many"),
    ],
)
def test_decrypt_without_blobs(blobs: Any, code: str) -> None:
    request = malformed(command="Decrypt", blobs=blobs)
    assert request.error.code == code
    assert (request.reply.data, request.reply.disconnect) == (fail("decrypt parameters error"), False)


def test_as_many_as_are_allowed() -> None:
    request = parse(command="Decrypt", blobs=[BLOB] * MAX_ITEMS)
    assert isinstance(request, Decrypt)
    assert len(request.blobs) == MAX_ITEMS


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        ({"algorithm": None}, "algorithm", "format.algorithm"),
        ({"algorithm": "A128GCM"}, "algorithm", "format.algorithm"),
        ({"algorithm": ["AES"]}, "algorithm", "format.algorithm"),
        ({"key_length": None}, "key_length", "format.algorithm"),
        ({"key_length": 128}, "key_length", "format.algorithm"),
        ({"key_length": "256"}, "key_length", "format.algorithm"),
        ({"key_length": 256.0}, "key_length", "format.algorithm"),
        ({"encrypted_data": None}, "encrypted_data", "format.missing"),
        ({"encrypted_data": 1}, "encrypted_data", "format.bad_value"),
        ({"encrypted_data": "A"}, "encrypted_data", "format.bad_value"),
        ({"encrypted_data": "-_-_" * 8}, "encrypted_data", "format.bad_value"),
        ({"encrypted_data": base64.b64encode(bytes(15)).decode()}, "encrypted_data", "format.bad_value"),
        ({"iv": None}, "iv", "format.missing"),
        ({"iv": "!"}, "iv", "format.bad_value"),
        ({"iv": base64.b64encode(bytes(11)).decode()}, "iv", "format.bad_value"),
        ({"iv": base64.b64encode(bytes(13)).decode()}, "iv", "format.bad_value"),
        ({"kid": None}, "kid", "format.missing"),
        ({"kid": 1}, "kid", "format.bad_value"),
        ({"kid": ""}, "name", "format.name"),
        ({"kid": ".."}, "name", "format.name"),
        ({"kid": "../../etc/passwd"}, "segments", "format.resource_path"),
        ({"kid": "../etc/passwd"}, "name", "format.name"),
        ({"kid": "/etc/passwd"}, "name", "format.name"),
        ({"kid": "a/b"}, "segments", "format.resource_path"),
        ({"kid": "kbs://host/a/b/c"}, "segments", "format.resource_path"),
        ({"kid": "a/b/c/d"}, "segments", "format.resource_path"),
    ],
)
def test_decrypt_of_a_blob_that_is_none(changed: dict[str, Any], field: str, code: str) -> None:
    request = malformed(command="Decrypt", blobs=[BLOB, BLOB | changed])
    assert (request.error.field, request.error.code) == (field, code)
    assert (request.reply.data, request.reply.disconnect) == (fail("parameters error"), False)


@pytest.mark.parametrize("blob", [None, [], "blob", 1])
def test_decrypt_of_what_is_no_object(blob: Any) -> None:
    assert malformed(command="Decrypt", blobs=[blob]).reply.data == fail("parameters error")


@pytest.mark.parametrize("kids", [None, "a", {}, [None], [1], [""], ["../a"], ["a"] * 65])
def test_get_kek_without_kids(kids: Any) -> None:
    request = malformed(command="Get KEK", kids=kids)
    assert request.reply.data == fail("get KEK parameters error")


@pytest.mark.parametrize("name", [None, 1, "", "policy", "Policy ", "a/b", "../b/c", "a/b/../c"])
def test_info_of_what_has_no_name(name: Any) -> None:
    request = malformed(command="Get Resource Info", name=name)
    assert request.reply.data == short("file name error")


@pytest.mark.parametrize(
    "optional",
    [
        None,
        [],
        "a/b/c",
        {},
        {"resource_path": None},
        {"resource_path": "Policy"},
        {"resource_path": "a/../c"},
    ],
)
def test_a_resource_without_a_path(optional: Any) -> None:
    request = malformed(command="Get Resource", optional=optional)
    assert base64.b64decode(request.reply.data) == short("resource path error")


def test_secrets_are_not_in_repr() -> None:
    request = parse(command="Decrypt", blobs=[BLOB])
    assert BLOB["encrypted_data"] not in repr(request)  # type: ignore[operator]  # as above
    assert "ccc" not in repr(request)
    assert "hunter2" not in repr(parse(command="echo", data="hunter2"))
    reply = asyncio.run(answer(Echo("hunter2"), None))  # type: ignore[arg-type]  # not asked
    assert "hunter2" not in repr(reply)
