from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eaa.broker.kbs.tee_key import KeyAlgorithm, parse_tee_key
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import FormatError, UnsupportedError
from tests.fakes.kbs_client import KEY_KINDS
from tests.unit.broker.kbs.samples import tee_key

LATEST, FIRST = ProtocolVersion.V0_4_0, ProtocolVersion.V0_1_0
EC = tee_key("ECDH-ES+A256KW-P256").jwk
RSA = tee_key("RSA-OAEP-256").jwk


def b64url(value: int, size: int = 0) -> str:
    data = value.to_bytes(size or (value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_keys_of_guests(kind: str) -> None:
    jwk = tee_key(kind).jwk
    parsed = parse_tee_key(jwk, LATEST)
    assert kind.startswith(parsed.algorithm)
    assert parsed.jwk == jwk
    numbers = parsed.key.public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        assert (b64url(numbers.n), b64url(numbers.e)) == (jwk["n"], jwk["e"])
    else:
        size = (parsed.key.key_size + 7) // 8
        assert (b64url(numbers.x, size), b64url(numbers.y, size)) == (jwk["x"], jwk["y"])


def test_members_are_kept() -> None:
    assert parse_tee_key(EC | {"kid": "ä"}, LATEST).jwk == EC | {"kid": "ä"}


def test_members_cannot_be_changed() -> None:
    jwk = dict(EC)
    parsed = parse_tee_key(jwk, LATEST)
    with pytest.raises(TypeError):
        parsed.jwk["x"] = ""  # type: ignore[index]  # that is what is tested


@pytest.mark.parametrize("version", ["0.1.0", "0.1.1"])
def test_first_guests_have_one_kind(version: str) -> None:
    jwk = tee_key("RSA1_5").jwk
    assert parse_tee_key(jwk, ProtocolVersion(version)).algorithm is KeyAlgorithm.RSA1_5
    for other in (EC, RSA):
        with pytest.raises(UnsupportedError, match=f"only RSA1_5 in version {version}") as raised:
            parse_tee_key(other, ProtocolVersion(version))
        assert raised.value.code == "unsupported.tee_key"


@pytest.mark.parametrize("bits", [2048, 8192])
def test_bounds_of_rsa(bits: int) -> None:
    assert parse_tee_key(RSA | {"n": b64url((1 << bits) - 1)}, LATEST).key.key_size == bits


@pytest.mark.parametrize("exponent", [65537, (1 << 64) - 1])
def test_bounds_of_exponents(exponent: int) -> None:
    numbers = parse_tee_key(RSA | {"e": b64url(exponent)}, LATEST).key.public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    assert numbers.e == exponent


P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()


@pytest.mark.parametrize(
    "jwk",
    [
        {
            "kty": "EC",
            "crv": "P-384",
            "alg": "ECDH-ES+A256KW",
            "x": b64url(P384.x, 48),
            "y": b64url(P384.y, 48),
        },
        EC | {"crv": "secp256k1"},
        EC | {"alg": "ECDH-ES"},
        EC | {"alg": "RSA-OAEP-256"},
        RSA | {"alg": "RSA-OAEP"},
        RSA | {"alg": "ECDH-ES+A256KW"},
        RSA | {"alg": "none"},
        {"kty": "AKP", "alg": "ML-KEM-768+A192KW", "pub": b64url(1, 1184)},
        {"kty": "oct", "k": "AAAA"},
        {"kty": ""},
    ],
)
def test_unsupported(jwk: dict[str, str]) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_tee_key(jwk, LATEST)
    assert raised.value.code == "unsupported.tee_key"


def without(jwk: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in jwk.items() if key != name}


@pytest.mark.parametrize(
    ("value", "field", "code"),
    [
        (None, "JWK", "format.bad_value"),
        ([], "JWK", "format.bad_value"),
        ({}, "kty", "format.missing"),
        (without(EC, "crv"), "crv", "format.missing"),
        (without(EC, "alg"), "alg", "format.missing"),
        (without(EC, "y"), "y", "format.missing"),
        (without(RSA, "alg"), "alg", "format.missing"),
        (without(RSA, "e"), "e", "format.missing"),
        (EC | {"use": 1}, "use", "format.bad_value"),
        (EC | {f"m{n}": "" for n in range(12)}, "JWK", "format.too_large"),
        (EC | {"kid": "k" * 2049}, "JWK", "format.too_large"),
        (EC | {"k" * 2049: "k"}, "JWK", "format.too_large"),
        (EC | {"x": EC["x"] + "="}, "x", "format.base64url"),
        (EC | {"x": "AA"}, "x", "format.bad_value"),
        (EC | {"y": b64url(0, 33)}, "y", "format.bad_value"),
        (EC | {"x": EC["y"]}, "x", "format.not_on_curve"),
        (EC | {"x": b64url(0, 32), "y": b64url(0, 32)}, "x", "format.not_on_curve"),
        (EC | {"x": b64url((1 << 256) - 1, 32)}, "x", "format.not_on_curve"),
        (RSA | {"n": b64url((1 << 2047) - 1)}, "n", "format.bad_value"),
        (RSA | {"n": b64url((1 << 8192) + 1)}, "n", "format.bad_value"),
        (RSA | {"n": b64url((1 << 2048) - 2)}, "n", "format.bad_value"),
        (RSA | {"n": "AA"}, "n", "format.bad_value"),
        (RSA | {"n": ""}, "n", "format.bad_value"),
        (RSA | {"n": b64url((1 << 2048) - 1, 257)}, "n", "format.bad_value"),
        (RSA | {"e": b64url(65537, 4)}, "e", "format.bad_value"),
        (RSA | {"n": "!"}, "n", "format.base64url"),
        (RSA | {"e": b64url(65535)}, "e", "format.bad_value"),
        (RSA | {"e": b64url(3)}, "e", "format.bad_value"),
        (RSA | {"e": b64url(65538)}, "e", "format.bad_value"),
        (RSA | {"e": b64url((1 << 64) + 1)}, "e", "format.bad_value"),
    ],
)
def test_malformed(value: Any, field: str, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_tee_key(value, LATEST)
    assert (raised.value.field, raised.value.code) == (field, code)


def test_as_many_members_as_are_read() -> None:
    assert parse_tee_key(EC | {f"m{n}": "v" * 2048 for n in range(11)}, LATEST)
