"""Certificates that carry evidence, of any family and in any state of repair."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from eaa.attester.simulated import SimulatedSgxEnclave, SimulatedTdxGuest
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.mint import PrivateKey, mint_certificate, public_key_info
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from tests.fakes.vendor import NOW, Kind, make_attester

__all__ = [
    "HOUR",
    "P256",
    "P384",
    "attester_of",
    "certificate_with",
    "der",
    "minted",
    "quote_for",
    "rsa_key",
    "spki_of",
]

HOUR = timedelta(hours=1)
P256 = ec.derive_private_key(2, ec.SECP256R1())
P384 = ec.derive_private_key(3, ec.SECP384R1())


@cache
def rsa_key(bits: int = 3072) -> rsa.RSAPrivateKey:
    """An RSA key, the same through one run."""
    return rsa.generate_private_key(65537, bits)


def spki_of(key: PrivateKey) -> bytes:
    return public_key_info(key)


@cache
def _attester(kind: Kind) -> SimulatedSgxEnclave | SimulatedTdxGuest:
    return make_attester(kind)


@cache
def quote_for(report_data: bytes, kind: Kind = "sgx-v3") -> bytes:
    """A quote of the simulated vendor that is valid at ``NOW``."""
    return _attester(kind).collect(report_data)


def attester_of(kind: Kind) -> SimulatedSgxEnclave | SimulatedTdxGuest:
    """Whose quotes :func:`quote_for` gives."""
    return _attester(kind)


def minted(
    key: PrivateKey = P256,
    kind: Kind = "sgx-v3",
    *,
    claims: bytes | None = None,
    endorsed: bool = False,
) -> bytes:
    """A certificate of ours with a genuine quote, valid for an hour around ``NOW``."""
    claims = encode_claims(spki=spki_of(key), nonce=None) if claims is None else claims
    attached = AttachedEvidence(
        EvidenceKind.SGX_QUOTE if kind.startswith("sgx") else EvidenceKind.TDX_QUOTE,
        quote_for(hash_report_data(claims), kind),
        _attester(kind).endorsements() if endorsed else None,
    )
    return mint_certificate(key, attached, claims, not_before=NOW - HOUR, not_after=NOW + HOUR)


def certificate_with(
    extensions: Sequence[tuple[str, bytes]], key: PrivateKey = P256, *, critical: bool = False
) -> bytes:
    """A self-signed certificate with these extensions, whatever is in them."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "any")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - HOUR)
        .not_valid_after(NOW + HOUR)
    )
    for oid, value in extensions:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def der(tag: int, contents: bytes) -> bytes:
    """A DER value: one byte of tag, length in the fewest octets."""
    if len(contents) < 0x80:
        return bytes((tag, len(contents))) + contents
    length = len(contents).to_bytes((len(contents).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + contents
