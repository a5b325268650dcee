"""A guest's key decrypts what an independent JOSE implementation encrypted to it, and nothing else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from jwcrypto import jwe, jwk  # type: ignore[import-untyped]  # it has no type information

from eaa.errors import RemoteProtocolError
from eaa.transport.kbs.guest_key import GuestKey

SECRET = b"\x00secret\xff"
HEADER = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}


MEMBERS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")


def encrypted(public: dict[str, str], header: dict[str, Any] = HEADER, content: bytes = SECRET) -> Any:
    """The flattened form, with all of the header protected, as the compact form has it."""
    token = jwe.JWE(content, json.dumps(header), algs=[header["alg"], header["enc"]])
    token.add_recipient(jwk.JWK(**{name: value for name, value in public.items() if name != "alg"}))
    return dict(zip(MEMBERS, token.serialize(compact=True).split("."), strict=True))


def test_the_public_half_is_what_the_protocol_has() -> None:
    public = GuestKey().jwk
    assert set(public) == {"kty", "crv", "alg", "x", "y"}
    assert (public["kty"], public["crv"], public["alg"]) == ("EC", "P-256", "ECDH-ES+A256KW")
    assert GuestKey().jwk["x"] != public["x"]


@pytest.mark.parametrize("content", [b"", SECRET, bytes(1024 * 1024)], ids=len)
def test_what_was_encrypted_to_it(content: bytes) -> None:
    key = GuestKey()
    assert key.decrypt(encrypted(key.jwk, content=content)) == content


def refused(key: GuestKey, message: Any) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        key.decrypt(message)
    assert error.value.code == "remote_protocol.jwe"


def test_of_another_guest() -> None:
    refused(GuestKey(), encrypted(GuestKey().jwk))


@pytest.mark.parametrize(
    "header",
    [HEADER | {"alg": "ECDH-ES+A128KW"}, HEADER | {"enc": "A128GCM"}, HEADER | {"zip": "DEF"}],
    ids=lambda header: " ".join(header.values()),
)
def test_by_another_algorithm(header: dict[str, Any]) -> None:
    key = GuestKey()
    refused(key, encrypted(key.jwk, header))


@pytest.mark.parametrize("member", MEMBERS)
def test_one_bit_changed(member: str) -> None:
    key = GuestKey()
    message = encrypted(key.jwk)
    data = bytearray(base64.urlsafe_b64decode(message[member] + "=="))
    data[len(data) // 2] ^= 1
    message[member] = base64.urlsafe_b64encode(bytes(data)).rstrip(b"=").decode()
    refused(key, message)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("value", [None, 1, [], "", "!", "é", "e30", "W10"], ids=repr)
def test_a_member_that_is_none(member: str, value: object) -> None:
    key = GuestKey()
    refused(key, encrypted(key.jwk) | {member: value})


@pytest.mark.parametrize("message", [None, [], "x", {}, {"protected": "e30"}], ids=repr)
def test_what_is_no_message(message: object) -> None:
    refused(GuestKey(), message)


@pytest.mark.parametrize(
    "epk", [None, {}, "x", {"kty": "EC"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]
)
def test_an_ephemeral_key_that_is_none(epk: object) -> None:
    key = GuestKey()
    message = encrypted(key.jwk)
    header = json.dumps(HEADER | {"epk": epk}).encode()
    refused(key, message | {"protected": base64.urlsafe_b64encode(header).rstrip(b"=").decode()})
