"""Who vouches for a key in a header."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from eaa.broker.signing_key import p256_jwk
from eaa.broker.token_trust import endorsed_key
from eaa.errors import EAAError
from tests.fakes.token_authority import NOW, YEAR, Authority, b64url

ROOT = Authority()
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()


def _jwk(*chain: x509.Certificate, **changes: Any) -> dict[str, Any]:
    x5c = [base64.b64encode(item.public_bytes(Encoding.DER)).decode() for item in chain]
    return {**p256_jwk(PUBLIC), "x5c": x5c, **changes}


def _code(jwk: dict[str, Any], *anchors: x509.Certificate) -> str:
    with pytest.raises(EAAError) as refused:
        endorsed_key(jwk, anchors=anchors or (ROOT.certificate,), now=NOW)
    return refused.value.code


def test_a_leaf_below_the_anchor() -> None:
    key = endorsed_key(_jwk(ROOT.certify(PUBLIC, "leaf")), anchors=[ROOT.certificate], now=NOW)
    assert key.public_numbers() == PUBLIC.public_numbers()


def test_a_leaf_that_is_the_anchor() -> None:
    own = ROOT.certify(PUBLIC, "own")
    endorsed_key(_jwk(own), anchors=[own], now=NOW)


def test_intermediates_in_any_order_with_one_of_no_use() -> None:
    a = ROOT.below("a")
    b = a.below("b")
    chain = (b.certify(PUBLIC, "leaf"), a.certificate, Authority("decoy").certificate, b.certificate)
    endorsed_key(_jwk(*chain), anchors=[Authority("other").certificate, ROOT.certificate], now=NOW)


def test_a_missing_intermediate() -> None:
    assert _code(_jwk(ROOT.below("a").certify(PUBLIC, "leaf"))) == "chain.x5c_path"


def test_a_leaf_cannot_issue() -> None:
    liar = Authority("liar")
    liar.certificate = ROOT.certify(liar.key.public_key(), "liar")
    assert _code(_jwk(liar.certify(PUBLIC, "leaf"), liar.certificate)) == "chain.x5c_path"


@pytest.mark.parametrize("may", [True, False])
def test_an_authority_that_may_sign_certificates(may: bool) -> None:
    usage = x509.KeyUsage(
        digital_signature=not may, key_cert_sign=may, crl_sign=False, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    a = ROOT.below("a", usage=usage)
    jwk = _jwk(a.certify(PUBLIC, "leaf"), a.certificate)
    if may:
        endorsed_key(jwk, anchors=[ROOT.certificate], now=NOW)
    else:
        assert _code(jwk) == "chain.x5c_path"


def test_an_authority_with_more_below_it_than_it_allows() -> None:
    a = ROOT.below("a", path_length=0)
    b = a.below("b")
    endorsed_key(_jwk(a.certify(PUBLIC, "leaf"), a.certificate), anchors=[ROOT.certificate], now=NOW)
    assert _code(_jwk(b.certify(PUBLIC, "leaf"), b.certificate, a.certificate)) == "chain.x5c_path"


def test_an_issuer_of_the_same_name() -> None:
    assert _code(_jwk(Authority().certify(PUBLIC, "leaf"))) == "chain.x5c_path"


def test_an_authority_without_basic_constraints_is_none() -> None:
    bare = (
        x509.CertificateBuilder().subject_name(ROOT.name).issuer_name(ROOT.name)
        .public_key(ROOT.key.public_key()).serial_number(5)
        .not_valid_before(NOW - YEAR).not_valid_after(NOW + YEAR)
        .sign(ROOT.key, hashes.SHA256())
    )  # fmt: skip
    assert _code(_jwk(ROOT.certify(PUBLIC, "leaf")), bare) == "chain.x5c_path"


def test_a_certificate_for_another_key() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert _code(_jwk(ROOT.certify(other, "leaf"))) == "chain.x5c_key"


@pytest.mark.parametrize(
    "period", [{"ends": NOW - YEAR / 2}, {"begins": NOW + YEAR / 2}], ids=["expired", "not yet valid"]
)
def test_out_of_its_period(period: dict[str, Any]) -> None:
    assert _code(_jwk(ROOT.certify(PUBLIC, "leaf", **period))) == "validity_period.x5c"


@pytest.mark.parametrize("x5c", [[], "x", ["!"], [5], ["AAAA"], ["AAAA"] * 9])
def test_no_certificates(x5c: object) -> None:
    assert _code(_jwk(x5c=x5c)) == "format.x5c"


def test_none_at_all() -> None:
    assert _code(p256_jwk(PUBLIC)) == "chain.x5c"


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "AA"},
        {"kty": None},
        {"x": "AA"},
        {"crv": "P-999"},
        {"kty": "RSA", "n": "AA"},
        {"x": 5},
    ],
)
def test_no_key(change: dict[str, Any]) -> None:
    assert _code(_jwk(ROOT.certify(PUBLIC, "leaf"), **change)) == "format.jwk"


def test_another_kind_of_key_in_the_certificate() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    assert _code(_jwk(ROOT.certify(other, "leaf"))) == "chain.x5c_key"


def test_an_rsa_key() -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    numbers = public.public_numbers()
    leaf = ROOT.certify(public, "leaf").public_bytes(Encoding.DER)
    jwk = {
        "kty": "RSA", "n": b64url(numbers.n.to_bytes(256)), "e": b64url(numbers.e.to_bytes(3)),
        "x5c": [base64.b64encode(leaf).decode()],
    }  # fmt: skip
    key = endorsed_key(jwk, anchors=[ROOT.certificate], now=NOW)
    assert key.public_numbers() == numbers
