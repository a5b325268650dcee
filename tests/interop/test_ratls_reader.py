"""Our certificates read by a reader of the published format that shares no code with ours.

It is written from the two documents of the CCC's interoperable RA-TLS, on ``cryptography`` and ``cbor2``,
and asks what Gramine and librats ask besides: no critical extension, a length of two octets, an integer
of four bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.endorsements.collateral import IntelCollateral
from eaa.tls.claims import encode_claims
from eaa.tls.mint import PrivateKey
from tests.fakes.tls import P256, P384, attester_of, minted, quote_for, rsa_key, spki_of
from tests.fakes.vendor import KINDS, Kind

HASHES = {1: "sha256", 7: "sha384", 8: "sha512"}
REPORT_DATA_AT = {(3, 0): 368, (4, 0): 368, (4, 0x81): 568, (5, 0): 374, (5, 0x81): 574}


@dataclass
class Theirs:
    evidence: bytes
    claims: dict[str, bytes]
    endorsements: list[int | bytes] | None


def read(der: bytes) -> Theirs:
    """What the extensions say, after every check that the format asks for."""
    certificate = x509.load_der_x509_certificate(der)
    certificate.verify_directly_issued_by(certificate)
    value = extension(certificate, der, "2.23.133.5.4.9", "0606678105050409")
    tagged = whole(value)
    assert tagged.tag == 60000
    evidence, buffer = tagged.value
    claims = whole(buffer)
    hash_id, digest = whole(claims["pubkey-hash"])
    public = certificate.public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.new(HASHES[hash_id], spki).digest() == digest
    assert report_data(evidence) == hashlib.sha256(buffer).digest() + bytes(32)
    return Theirs(evidence, claims, endorsements(certificate, der))


def extension(certificate: x509.Certificate, der: bytes, oid: str, encoded: str) -> bytes:
    found = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid))
    assert not found.critical
    assert isinstance(found.value, x509.UnrecognizedExtension)
    value = found.value.value
    # extnID, no critical flag, and an OCTET STRING whose length has two octets.
    assert bytes.fromhex(encoded) + b"\x04\x82" + len(value).to_bytes(2, "big") + value in der
    return value


def endorsements(certificate: x509.Certificate, der: bytes) -> list[int | bytes] | None:
    oids = [item.oid.dotted_string for item in certificate.extensions]
    if "2.23.133.5.4.2" not in oids:
        return None
    value = extension(certificate, der, "2.23.133.5.4.2", "0606678105050402")
    tagged = whole(value)
    assert tagged.tag == 60000
    assert len(tagged.value) in (8, 9)
    assert value[:5] == bytes.fromhex("d9ea60881a")
    return list(tagged.value)


def whole(data: bytes) -> Any:
    """The item, of which these are the canonical bytes, but for the integer that librats wants wide."""
    item = cbor2.loads(data)
    canonical = cbor2.dumps(item, canonical=True)
    assert canonical in (data, data.replace(bytes.fromhex("881a00000003"), bytes.fromhex("8803"), 1))
    return item


def report_data(quote: bytes) -> bytes:
    version, tee = int.from_bytes(quote[:2], "little"), int.from_bytes(quote[4:8], "little")
    start = REPORT_DATA_AT[version, tee]
    return quote[start : start + 64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [P256, P384, rsa_key()], ids=["P-256", "P-384", "RSA-3072"])
def test_accepted(kind: Kind, key: PrivateKey) -> None:
    theirs = read(minted(key, kind))
    claims = encode_claims(spki=spki_of(key), nonce=None)
    assert theirs.evidence == quote_for(hashlib.sha256(claims).digest() + bytes(32), kind)
    assert list(theirs.claims) == ["pubkey-hash"]
    assert theirs.endorsements is None


@pytest.mark.parametrize("hash_id", [1, 7, 8])
def test_claims(hash_id: int) -> None:
    custom = {"key_0": b"value_0", "b": b""}
    theirs = read(
        minted(claims=encode_claims(spki=spki_of(P256), hash_id=hash_id, nonce=b"n" * 32, custom=custom))
    )
    assert {name: theirs.claims[name] for name in custom} == custom
    assert theirs.claims["nonce"] == b"n" * 32


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_endorsements(kind: Kind) -> None:
    """The eight entries by the numbers that Open Enclave gave them, in Intel's quote library's forms."""
    theirs = read(minted(P256, kind, endorsed=True)).endorsements
    expected = attester_of(kind).endorsements()
    assert theirs is not None
    assert theirs[0] == 3
    texts = [item.decode() for item in theirs[1:] if isinstance(item, bytes)]
    assert len(texts) == 7
    assert all(text.endswith("\x00") for text in texts)
    compare([text[:-1] for text in texts], expected)


def compare(texts: list[str], expected: IntelCollateral) -> None:
    info, info_chain, pck_crl, root_crl, pck_chain, identity, identity_chain = texts
    for text, chain, name, document in (
        (info, info_chain, "tcbInfo", expected.tcb_info),
        (identity, identity_chain, "enclaveIdentity", expected.qe_identity),
    ):
        assert document is not None
        assert json.loads(text)[name] == json.loads(document.body)
        assert document.body.decode() in text
        assert json.loads(text)["signature"] == document.signature.hex()
        assert certificates(chain) == certificates(document.issuer_chain.decode())
    assert bytes.fromhex(pck_crl) == expected.pck_crl
    assert bytes.fromhex(root_crl) == expected.root_ca_crl
    assert expected.pck_crl_issuer_chain is not None
    assert certificates(pck_chain) == certificates(expected.pck_crl_issuer_chain.decode())


def certificates(pem: str) -> list[bytes]:
    blocks = pem.split("-----BEGIN CERTIFICATE-----")[1:]
    return [base64.b64decode(block.split("-----END")[0]) for block in blocks]
