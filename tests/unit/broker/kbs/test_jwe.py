from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from jwcrypto import jwe as oracle  # type: ignore[import-untyped]  # it has no type information
from jwcrypto import jwk as oracle_keys

from eaa.broker.kbs.jwe import encrypt
from eaa.broker.kbs.tee_key import TeePublicKey, parse_tee_key
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import UnsupportedError
from tests.fakes.kbs_client import Guest, TeeKey
from tests.unit.broker.kbs.samples import tee_key

V0_1_0, V0_2_0, V0_4_0 = ProtocolVersion.V0_1_0, ProtocolVersion.V0_2_0, ProtocolVersion.V0_4_0
CONTENT = b"the secret \x00\xff" * 11
STANDARD = [V0_2_0, V0_4_0]
FIRST = [V0_1_0, ProtocolVersion.V0_1_1]
P256, P521, OAEP, RSA1_5 = "ECDH-ES+A256KW-P256", "ECDH-ES+A256KW-P521", "RSA-OAEP-256", "RSA1_5"


def public(key: TeeKey) -> TeePublicKey:
    return parse_tee_key(key.jwk, V0_4_0)


def sealed(kind: str, version: ProtocolVersion = V0_4_0, content: bytes = CONTENT) -> dict[str, str]:
    text = encrypt(content, public(tee_key(kind)), version=version, allow_rsa1_5=True)
    members = json.loads(text)
    assert isinstance(members, dict)
    return members


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private(key: TeeKey) -> Any:
    return key._ec or key._rsa


@pytest.mark.parametrize("version", STANDARD)
@pytest.mark.parametrize("kind", [P256, P521, OAEP, RSA1_5])
@pytest.mark.parametrize("content", [b"x", CONTENT, bytes(300_000)], ids=len)
def test_read_by_another_implementation(kind: str, version: ProtocolVersion, content: bytes) -> None:
    members = sealed(kind, version, content)
    token = oracle.JWE(algs=["ECDH-ES+A256KW", "RSA-OAEP-256", "RSA1_5", "A256GCM"])
    token.deserialize(json.dumps(members), oracle_keys.JWK.from_pyca(private(tee_key(kind))))
    assert token.payload == content


@pytest.mark.parametrize("kind", [P256, P521, OAEP, RSA1_5])
def test_read_by_a_guest(kind: str) -> None:
    guest = Guest("tdx", bytes, tee_key(kind))
    for content in (CONTENT, b""):
        assert guest.decrypt(sealed(kind, content=content)) == content


@pytest.mark.parametrize("version", FIRST)
def test_read_by_a_first_guest(version: ProtocolVersion) -> None:
    guest = Guest("tdx", bytes, tee_key(RSA1_5), version=version)
    assert guest.decrypt(sealed(RSA1_5, version)) == CONTENT


@pytest.mark.parametrize(("kind", "curve", "size"), [(P256, "P-256", 32), (P521, "P-521", 66)])
def test_by_hand(kind: str, curve: str, size: int) -> None:
    """Each step of RFC 7518 sections 4.6 and 5.3, from the members of the message."""
    members = sealed(kind)
    header = json.loads(unb64(members["protected"]))
    assert (len(unb64(members["encrypted_key"])), len(unb64(members["iv"])), len(unb64(members["tag"]))) == (
        40,
        12,
        16,
    )
    x, y = (int.from_bytes(unb64(header["epk"][axis])) for axis in "xy")
    key = private(tee_key(kind))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, key.curve).public_key())
    assert len(shared) == size
    info = bytes([0, 0, 0, 14]) + b"ECDH-ES+A256KW" + bytes(8) + bytes([0, 0, 1, 0])
    content_key = aes_key_unwrap(
        hashlib.sha256(bytes([0, 0, 0, 1]) + shared + info).digest(), unb64(members["encrypted_key"])
    )
    ciphertext = unb64(members["ciphertext"]) + unb64(members["tag"])
    aad = members["protected"].encode("ascii")
    assert AESGCM(content_key).decrypt(unb64(members["iv"]), ciphertext, aad) == CONTENT


EPK = r',"epk":\{{"crv":"{}","kty":"EC","x":"[\w-]{{{}}}","y":"[\w-]{{{}}}"\}}'


@pytest.mark.parametrize(
    ("kind", "epk"),
    [(P256, EPK.format("P-256", 43, 43)), (P521, EPK.format("P-521", 88, 88)), (OAEP, ""), (RSA1_5, "")],
)
def test_order_of_members(kind: str, epk: str) -> None:
    members = sealed(kind)
    assert list(members) == ["protected", "encrypted_key", "iv", "ciphertext", "tag"]
    algorithm = re.escape(public(tee_key(kind)).algorithm)
    header = rf'\{{"alg":"{algorithm}","enc":"A256GCM"{epk}\}}'
    assert re.fullmatch(header, unb64(members["protected"]).decode())


@pytest.mark.parametrize("version", FIRST)
def test_first_form(version: ProtocolVersion) -> None:
    members = sealed(RSA1_5, version)
    assert list(members) == ["protected", "encrypted_key", "iv", "ciphertext", "tag"]
    assert (members["protected"], members["tag"]) == ('{"alg":"RSA1_5","enc":"A256GCM"}', "")
    key = private(tee_key(RSA1_5))
    assert isinstance(key, rsa.RSAPrivateKey)
    content_key = key.decrypt(unb64(members["encrypted_key"]), padding.PKCS1v15())
    ciphertext = unb64(members["ciphertext"])
    assert len(ciphertext) == len(CONTENT) + 16
    assert AESGCM(content_key).decrypt(unb64(members["iv"]), ciphertext, None) == CONTENT


@pytest.mark.parametrize("kind", [P256, P521, OAEP, RSA1_5])
def test_nothing_is_used_twice(kind: str) -> None:
    first, second = sealed(kind), sealed(kind)
    for name in ("encrypted_key", "iv", "ciphertext", "tag"):
        assert first[name] != second[name]
    assert (first["protected"] != second["protected"]) == kind.startswith("ECDH")


def test_content_is_not_in_the_message() -> None:
    assert b"the secret" not in unb64(sealed(P256)["ciphertext"])


def test_header_is_authenticated() -> None:
    members = sealed(OAEP)
    other = sealed(P256)["protected"]
    key = private(tee_key(OAEP))
    guest = Guest("tdx", bytes, tee_key(OAEP))
    content_key = guest.key.content_key({"alg": "RSA-OAEP-256"}, unb64(members["encrypted_key"]))
    assert isinstance(key, rsa.RSAPrivateKey)
    with pytest.raises(InvalidTag):
        AESGCM(content_key).decrypt(
            unb64(members["iv"]), unb64(members["ciphertext"]) + unb64(members["tag"]), other.encode()
        )


@pytest.mark.parametrize("version", ProtocolVersion)
def test_rsa1_5_takes_permission(version: ProtocolVersion) -> None:
    with pytest.raises(UnsupportedError) as raised:
        encrypt(CONTENT, public(tee_key(RSA1_5)), version=version)
    assert raised.value.code == "unsupported.rsa1_5"


@pytest.mark.parametrize("version", FIRST)
@pytest.mark.parametrize("kind", [P256, P521, OAEP])
def test_first_guests_have_one_kind_of_key(kind: str, version: ProtocolVersion) -> None:
    with pytest.raises(UnsupportedError) as raised:
        encrypt(CONTENT, public(tee_key(kind)), version=version, allow_rsa1_5=True)
    assert raised.value.code == "unsupported.tee_key"
