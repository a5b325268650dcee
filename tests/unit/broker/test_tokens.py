"""Tokens: who signed them, when they hold, for whom. Each refusal by one change of a good token."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from eaa.broker.records import ServiceKey
from eaa.broker.signing_key import SigningKey, key_set
from eaa.broker.tokens import MAX_TOKEN_BYTES, issue_token, verify_token
from eaa.errors import (
    ConfigError,
    EAAError,
    FormatError,
)
from tests.fakes.token_authority import NOW, YEAR, Authority, b64url, service_key, sign_by_hand

ROOT = Authority()
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = SigningKey.of(
    service_key("k1", PRIVATE, ROOT.certify(PRIVATE.public_key(), "signer"), ROOT.certificate)
)
KEYS = key_set([KEY])
ISSUED = int(NOW.timestamp())
CLAIMS = {"iss": "verdictd", "iat": ISSUED, "nbf": ISSUED, "exp": ISSUED + 300, "submods": {"cpu0": {}}}


def _verify(token: str, **options: Any) -> dict[str, Any]:
    terms = {"now": NOW, "keys": None, "trust_anchors": (), "issuer": "", "audience": "", "nonce": ""}
    return verify_token(token, **{**terms, **options})


def _code(token: str, **options: Any) -> str:
    with pytest.raises(EAAError) as refused:
        _verify(token, **{"keys": KEYS, **options})
    return refused.value.code


def test_what_was_issued_is_verified_by_key_set_and_by_chain() -> None:
    token = issue_token(CLAIMS, KEY)
    assert _verify(token, keys=KEYS, issuer="verdictd") == CLAIMS
    assert _verify(token, trust_anchors=[ROOT.certificate]) == CLAIMS


def test_another_library_verifies_it() -> None:
    token = issue_token({**CLAIMS, "exp": 2**32, "iat": 0, "nbf": 0}, KEY)
    assert jwt.decode(token, PRIVATE.public_key(), algorithms=["ES256"])["iss"] == "verdictd"
    header = jwt.get_unverified_header(token)
    assert (header["kid"], header["alg"], header["typ"]) == ("k1", "ES256", "JWT")
    assert jwt.PyJWK(header["jwk"]).key.public_numbers() == PRIVATE.public_key().public_numbers()
    assert len(header["jwk"]["x5c"]) == 2


def test_a_token_that_another_made_is_verified() -> None:
    """As Trustee's are: no ``kid``, no ``nbf``, and the key beside its chain in the header."""
    header = {"typ": "JWT", "alg": "ES256", "jwk": KEY.public_jwk}
    claims = {name: value for name, value in CLAIMS.items() if name != "nbf"}
    assert _verify(sign_by_hand(header, claims, PRIVATE), trust_anchors=[ROOT.certificate]) == claims


def test_a_key_in_the_header_alone_is_never_believed() -> None:
    thief = ec.generate_private_key(ec.SECP256R1())
    own = SigningKey.of(service_key("k2", thief))
    token = issue_token(CLAIMS, own)
    assert _code(token) == "chain.token_key"
    assert _code(token, keys=None) == "chain.token_key"
    assert _code(token, trust_anchors=[ROOT.certificate]) == "chain.x5c"


def test_a_key_of_another_is_not_taken_by_its_name() -> None:
    thief = SigningKey.of(service_key("k1", ec.generate_private_key(ec.SECP256R1())))
    assert _code(issue_token(CLAIMS, thief)) == "signature.token"


def test_a_changed_claim_is_refused() -> None:
    header, _, signature = issue_token(CLAIMS, KEY).split(".")
    assert (
        _code(f"{header}.{b64url(json.dumps({**CLAIMS, 'exp': 2**40}).encode())}.{signature}")
        == "signature.token"
    )


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "RS256", "", 5])
def test_no_other_algorithm(algorithm: object) -> None:
    token = sign_by_hand({**KEY.header, "alg": algorithm}, CLAIMS, PRIVATE)
    assert _code(token) == "format.token"


def test_the_public_key_is_no_shared_secret() -> None:
    """The classic confusion: HMAC with the public key, which everybody has."""
    secret = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    header = b64url(json.dumps({"typ": "JWT", "alg": "HS256", "kid": "k1"}).encode())
    signed = f"{header}.{b64url(json.dumps(CLAIMS).encode())}"
    token = f"{signed}.{b64url(hmac.digest(secret, signed.encode(), 'sha256'))}"
    assert _code(token) == "format.token"


@pytest.mark.parametrize("member", ["crit", "b64"])
def test_extensions_of_the_signature_are_refused(member: str) -> None:
    assert _code(sign_by_hand({**KEY.header, member: ["x"]}, CLAIMS, PRIVATE)) == "format.token"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "!.b.c",
        b64url(b"[]") + ".e30.AA",
        b64url(b"{") + ".e30.AA",
        "x" * (MAX_TOKEN_BYTES + 1),
    ],
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(FormatError):
        _verify(token, keys=KEYS)


def test_claims_are_an_object() -> None:
    assert _code(sign_by_hand(KEY.header, b"[]", PRIVATE)) == "format.token"


def test_when_it_holds() -> None:
    token = issue_token(CLAIMS, KEY)
    _verify(token, now=NOW + timedelta(seconds=329), keys=KEYS)
    assert _code(token, now=NOW + timedelta(seconds=330)) == "validity_period.token_expired"
    _verify(token, now=NOW - timedelta(seconds=30), keys=KEYS)
    assert _code(token, now=NOW - timedelta(seconds=31)) == "validity_period.token_not_yet"


@pytest.mark.parametrize("change", [{"exp": None}, {"exp": "1"}, {"exp": True}, {"nbf": "x"}, {"nbf": None}])
def test_times_are_numbers(change: dict[str, Any]) -> None:
    assert _code(issue_token({**CLAIMS, **change}, KEY)) == "format.token"


def test_for_whom() -> None:
    for audience in ("db", ["x", "db"]):
        token = issue_token({**CLAIMS, "aud": audience}, KEY)
        _verify(token, keys=KEYS, audience="db")
        assert _code(token, audience="web") == "binding.token_aud"
        assert _code(token) == "binding.token_aud"
    assert _code(issue_token(CLAIMS, KEY), audience="db") == "binding.token_aud"


def test_issuer_and_nonce() -> None:
    token = issue_token({**CLAIMS, "eat_nonce": "abc"}, KEY)
    _verify(token, keys=KEYS, nonce="abc")
    assert _code(token, issuer="other") == "binding.token_iss"
    assert _code(token, nonce="abd") == "binding.token_eat_nonce"


@pytest.mark.parametrize(
    "change",
    [{"kty": "RSA"}, {"crv": "P-384"}, {"x": "AA"}, {"x": None}, {"x": "!"}, {"y": KEY.public_jwk["x"]}],
)
def test_a_key_set_of_other_keys(change: dict[str, Any]) -> None:
    keys = {"keys": [{**KEY.public_jwk, **change}]}
    with pytest.raises(EAAError):
        _verify(issue_token(CLAIMS, KEY), keys=keys)


def test_an_endorsed_key_of_another_curve() -> None:
    private = ec.generate_private_key(ec.SECP384R1())
    numbers = private.public_key().public_numbers()
    leaf = ROOT.certify(private.public_key(), "p384")
    jwk = {
        "kty": "EC", "crv": "P-384", "x": b64url(numbers.x.to_bytes(48)), "y": b64url(numbers.y.to_bytes(48)),
        "x5c": [base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()],
    }  # fmt: skip
    token = sign_by_hand({"alg": "ES256", "jwk": jwk}, CLAIMS, PRIVATE)
    assert _code(token, trust_anchors=[ROOT.certificate]) == "format.token"


@pytest.mark.parametrize(
    "private", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_signing_keys_are_p256(private: Any) -> None:
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for material in (der, b"\x30\x00"):
        with pytest.raises(ConfigError) as refused:
            SigningKey.of(ServiceKey("token", "k", material, (), NOW, NOW + YEAR))
        assert refused.value.code == "config.signing_key"


def test_no_secret_is_published_or_shown() -> None:
    secret = b64url(PRIVATE.private_numbers().private_value.to_bytes(32))
    assert secret not in json.dumps(KEYS) + repr(KEY)
