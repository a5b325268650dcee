"""Tokens of administrators: each step that must hold has a case that fails only there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.broker.admin_credentials import AdminCredentials, AdminKey, public_key_id
from eaa.broker.admin_token import MAX_TOKEN_BYTES, issue_admin_token
from eaa.broker.administration import Principal
from eaa.errors import ConfigError, CredentialError
from tests.fakes.administrators import NOW

ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
EC = ec.derive_private_key(7, ec.SECP256R1())
ISSUED = int(NOW.timestamp())

CREDENTIALS = AdminCredentials(
    [
        AdminKey("ed", ED.public_key()),
        AdminKey("ec", EC.public_key(), roles=frozenset({"reader"}), audience=None, issuer="idp"),
    ]
)
HEADER = {"alg": "EdDSA", "kid": "ed", "typ": "JWT"}
CLAIMS = {"sub": "ada", "role": "admin", "aud": "verdictd", "iat": ISSUED, "exp": ISSUED + 600}

Sign = Callable[[bytes], bytes]


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def es256(data: bytes) -> bytes:
    r, s = utils.decode_dss_signature(EC.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def token(header: object = HEADER, claims: object = CLAIMS, sign: Sign = ED.sign) -> str:
    """``header`` and ``claims``, JSON or the bytes to stand for it, signed."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    signed = b".".join(b64(part) for part in parts)
    return (signed + b"." + b64(sign(signed))).decode()


def ec_token(**changes: Any) -> str:
    claims = {"sub": "rea", "role": "reader", "iss": "idp", "iat": ISSUED, "exp": ISSUED + 600, **changes}
    return token({"alg": "ES256", "kid": "ec"}, claims, es256)


def detail(text: str, **delta: float) -> str:
    with pytest.raises(CredentialError) as caught:
        CREDENTIALS.verify(text, now=NOW + timedelta(**delta))
    return caught.value.code.removeprefix("credential.")


def test_what_is_issued_is_believed() -> None:
    made = issue_admin_token(ED, "ed", "ada", "provisioner", NOW, 3600)
    assert CREDENTIALS.verify(made, now=NOW) == Principal("ada@ed", "provisioner")
    assert CREDENTIALS.verify(token(), now=NOW) == Principal("ada@ed", "admin")
    assert CREDENTIALS.verify(ec_token(), now=NOW) == Principal("rea@ec", "reader")


def test_another_implementation_agrees() -> None:
    made = issue_admin_token(ED, "ed", "ada", "admin", NOW, 60)
    options: Any = {"verify_exp": False, "verify_iat": False}
    seen = jwt.decode(made, ED.public_key(), algorithms=["EdDSA"], audience="verdictd", options=options)
    assert (seen["sub"], seen["role"], seen["exp"] - seen["iat"]) == ("ada", "admin", 60)
    theirs = jwt.encode(CLAIMS, ED, algorithm="EdDSA", headers={"kid": "ed"})
    assert CREDENTIALS.verify(theirs, now=NOW).name == "ada@ed"
    claims = {"role": "reader", "iss": "idp", "iat": ISSUED, "exp": ISSUED + 1}
    theirs = jwt.encode(claims, EC, algorithm="ES256", headers={"kid": "ec"})
    assert CREDENTIALS.verify(theirs, now=NOW) == Principal("ec", "reader")


def test_no_token() -> None:
    assert detail("") == "missing"


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a.b",
        token() + ".x",
        token() + "=",
        token().replace(".", "..", 1),
        token() + "AAA",
        token().replace(".", ".é", 1),
        "+" + token()[1:],
        token(b"[]"),
        token(b"{"),
        token(b'{"alg":"EdDSA","kid":"ed","kid":"ed"}'),
        token(HEADER, b"null"),
        token(HEADER, b'{"role":"admin","role":"admin"}'),
        token({"alg": "EdDSA"}),
        token({"alg": "EdDSA", "kid": 7}),
        token({**HEADER, "crit": ["exp"]}),
        token(HEADER, {**CLAIMS, "x": "x" * MAX_TOKEN_BYTES}),
    ],
)
def test_malformed(text: str) -> None:
    assert detail(text) == "malformed"


def test_one_spelling_of_a_signature() -> None:
    made = token()
    spare = [made[:-1] + char for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    same = [text for text in spare if text != made and b64decoded(text) == b64decoded(made)]
    assert same, "the last character has spare bits"
    assert {detail(text) for text in same} == {"malformed"}


def b64decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "RS256", "ES384", "ES256K", "Ed448", "", None, 7, []]
)
def test_algorithms(algorithm: object) -> None:
    assert detail(token({**HEADER, "alg": algorithm})) == "algorithm"


def test_a_public_key_is_no_secret() -> None:
    public = ED.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = b".".join(b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "ed"}, CLAIMS))
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    assert detail((signed + b"." + b64(mac.sign(signed, public))).decode()) == "algorithm"
    unsigned = (signed.replace(b64(b'{"alg"')[:4], b64(b'{"alg"')[:4]) + b".").decode()
    assert detail(unsigned) == "algorithm"


def test_an_algorithm_of_another_key() -> None:
    assert detail(token({**HEADER, "alg": "ES256"}, sign=es256)) == "algorithm"
    assert detail(token({**HEADER, "kid": "ec"})) == "algorithm"


@pytest.mark.parametrize("kid", ["", "other", "../../etc/passwd", "ed\x00", "ED", "/dev/null", "' or 1=1"])
def test_key_ids(kid: str) -> None:
    assert detail(token({**HEADER, "kid": kid})) == "unknown_key"


def test_a_key_in_the_header_is_not_looked_at() -> None:
    x = b64(OTHER.public_key().public_bytes_raw()).decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": x}
    assert detail(token({**HEADER, "jwk": jwk, "jku": "https://example.org"}, sign=OTHER.sign)) == "signature"


@pytest.mark.parametrize(
    "sign", [OTHER.sign, lambda data: ED.sign(data + b"x"), lambda _: b"", lambda _: bytes(64)]
)
def test_signatures(sign: Sign) -> None:
    assert detail(token(sign=sign)) == "signature"


@pytest.mark.parametrize(
    "sign",
    [
        lambda _: bytes(64),
        lambda _: b"",
        lambda data: EC.sign(data, ec.ECDSA(SHA256())),
        lambda d: es256(d) + b"\0",
    ],
)
def test_signatures_of_es256(sign: Sign) -> None:
    claims = {"role": "reader", "iss": "idp", "iat": ISSUED, "exp": ISSUED + 600}
    assert detail(token({"alg": "ES256", "kid": "ec"}, claims, sign)) == "signature"


def test_every_bit_counts() -> None:
    header, claims, signature = token().split(".")
    for text in (header, claims):
        data = bytearray(base64.urlsafe_b64decode(text + "=="))
        for index in range(len(data)):
            data[index] ^= 1
            changed = b64(bytes(data)).decode()
            parts = (changed, claims) if text is header else (header, changed)
            with pytest.raises(CredentialError):
                CREDENTIALS.verify(".".join((*parts, signature)), now=NOW)
            data[index] ^= 1


def test_times() -> None:
    assert CREDENTIALS.verify(token(), now=NOW + timedelta(seconds=659))
    assert detail(token(), seconds=660) == "expired"
    assert CREDENTIALS.verify(token(), now=NOW - timedelta(seconds=60))
    assert detail(token(), seconds=-61) == "claims"
    early = {**CLAIMS, "nbf": ISSUED + 60}
    assert CREDENTIALS.verify(token(HEADER, early), now=NOW)
    assert detail(token(HEADER, {**CLAIMS, "nbf": ISSUED + 61})) == "claims"
    assert CREDENTIALS.verify(token(HEADER, {**CLAIMS, "exp": ISSUED + 3600}), now=NOW)
    assert CREDENTIALS.verify(token(HEADER, {**CLAIMS, "exp": ISSUED + 3600.0}), now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ISSUED + 3601},
        {"exp": ISSUED},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"exp": 2**40},
        {"iat": None},
        {"iat": -1},
        {"nbf": "x"},
        {"aud": None},
        {"aud": "kbs"},
        {"aud": ["kbs"]},
        {"aud": {"verdictd": 1}},
        {"role": None},
        {"role": ["admin"]},
        {"role": "root"},
        {"role": ""},
        {"sub": 7},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "a\n"},
        {"sub": "x" * 129},
    ],
)
def test_claims(changes: dict[str, object]) -> None:
    assert detail(token(HEADER, {**CLAIMS, **changes})) == "claims"


def test_one_of_several_audiences() -> None:
    assert CREDENTIALS.verify(token(HEADER, {**CLAIMS, "aud": ["kbs", "verdictd"]}), now=NOW)


def test_what_a_key_may_say() -> None:
    assert detail(ec_token(role="admin")) == "claims"
    assert detail(ec_token(iss="other")) == "claims"
    assert CREDENTIALS.verify(ec_token(aud="anything"), now=NOW).role == "reader"


@pytest.mark.parametrize(
    "key", [ec.derive_private_key(7, ec.SECP384R1()), ed448.Ed448PrivateKey.from_private_bytes(bytes(57))]
)
def test_keys_that_are_not_taken(key: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        AdminKey("x", key.public_key())
    assert caught.value.code == "config.admin_key"


def test_a_key_id_is_there_once() -> None:
    key = AdminKey("x", ED.public_key())
    with pytest.raises(ConfigError):
        AdminCredentials([key, key])


def test_names_of_keys() -> None:
    assert public_key_id(ED.public_key()) != public_key_id(OTHER.public_key())
    assert len(public_key_id(EC.public_key())) == 64


def test_what_is_said_names_no_token() -> None:
    made = token(sign=OTHER.sign)
    with pytest.raises(CredentialError) as caught:
        CREDENTIALS.verify(made, now=NOW)
    assert made.rpartition(".")[2] not in str(caught.value)
