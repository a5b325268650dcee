from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.errors import UnsupportedError
from eaa.tls.key import pkcs1_or_spki, require_key
from tests.fakes.tls import P256, P384, rsa_key, spki_of

DER_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key", [P256, P384, rsa_key()], ids=["P-256", "P-384", "RSA-3072"])
def test_supported(key: ec.EllipticCurvePrivateKey) -> None:
    require_key(spki_of(key))


def refused(spki: bytes) -> str:
    with pytest.raises(UnsupportedError) as raised:
        require_key(spki)
    assert raised.value.code == "unsupported.key_type"
    return str(raised.value)


def test_others() -> None:
    assert "2048" in refused(spki_of(rsa_key(2048)))
    refused(spki_of(ec.derive_private_key(2, ec.SECP521R1())))
    refused(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes(*DER_SPKI))
    refused(b"")
    refused(b"\x30\x00")


def test_forms_of_a_point() -> None:
    """A key has one encoding, so that a hash of it is a hash of no other bytes for the same key."""
    point = P256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    refused(prefix + point)
    refused(spki_of(P256) + b"\x00")
    refused(spki_of(P256)[:-1])


def test_another_encoding_of_an_rsa_key() -> None:
    """AlgorithmIdentifier without the NULL that [RFC8017 A.1] asks for."""
    spki = spki_of(rsa_key())
    with_null, without = (
        bytes.fromhex("300d06092a864886f70d0101010500"),
        bytes.fromhex("300b06092a864886f70d010101"),
    )
    assert with_null in spki
    changed = bytearray(spki.replace(with_null, without))
    changed[2:4] = (len(changed) - 4).to_bytes(2, "big")
    refused(bytes(changed))


def test_what_the_first_generation_hashed() -> None:
    assert pkcs1_or_spki(spki_of(P256)) == spki_of(P256)
    assert pkcs1_or_spki(b"no key") == b"no key"
    pkcs1 = pkcs1_or_spki(spki_of(rsa_key()))
    assert pkcs1 == rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert len(pkcs1) == 398
    assert hashlib.sha256(pkcs1) != hashlib.sha256(spki_of(rsa_key()))
