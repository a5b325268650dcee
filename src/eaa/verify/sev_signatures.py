"""The signatures of SEV: RSASSA-PSS by AMD's keys, and ECDSA P-384 by a platform's, both little-endian."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from eaa.endorsements.sev_certificate import SevAlgorithm
from eaa.errors import SignatureError
from eaa.evidence.psp_certificate import COORDINATE_BYTES

__all__ = [
    "RSA_ALGORITHMS",
    "SevEcKey",
    "SevRsaKey",
    "sev_ec_key",
    "sev_rsa_key",
    "verify_sev_ecdsa",
    "verify_sev_rsa",
]

SevRsaKey = rsa.RSAPublicKey
SevEcKey = ec.EllipticCurvePublicKey

#: What AMD's keys of each size sign with; the salt is as long as the hash [SEV-API C.4.1].
RSA_ALGORITHMS: Mapping[int, SevAlgorithm] = {2048: SevAlgorithm.RSA_SHA256, 4096: SevAlgorithm.RSA_SHA384}
_RSA_HASHES: Mapping[int, SHA256 | SHA384] = {2048: SHA256(), 4096: SHA384()}
_PADDINGS = {bits: padding.PSS(padding.MGF1(hash_), hash_.digest_size) for bits, hash_ in _RSA_HASHES.items()}
_ECDSA: Mapping[SevAlgorithm, ec.ECDSA] = {
    SevAlgorithm.ECDSA_SHA256: ec.ECDSA(SHA256()),
    SevAlgorithm.ECDSA_SHA384: ec.ECDSA(SHA384()),
}
_CURVE = ec.SECP384R1()


@lru_cache(maxsize=16)
def sev_rsa_key(public_exponent: int, modulus: int, bits: int) -> SevRsaKey:
    """The key. Raises ``ValueError`` if these are no RSA key of ``bits``, 2048 or 4096."""
    key = rsa.RSAPublicNumbers(public_exponent, modulus).public_key()
    if key.key_size != bits:
        raise ValueError("the modulus is shorter than the certificate says")
    return key


def sev_ec_key(x: int, y: int) -> SevEcKey:
    """The P-384 key at this point. Raises ``ValueError`` if it is not on the curve."""
    return ec.EllipticCurvePublicNumbers(x, y, _CURVE).public_key()


def verify_sev_rsa(key: SevRsaKey, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """RSASSA-PSS [RFC8017 §8.1.2] with a big-endian ``signature``, as long as the key.

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
    """
    try:
        key.verify(signature, data, _PADDINGS[key.key_size], _RSA_HASHES[key.key_size])
    except InvalidSignature:
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail) from None


def verify_sev_ecdsa(
    key: SevEcKey, algorithm: SevAlgorithm, signature: bytes, data: bytes, what: str, detail: str
) -> None:
    """ECDSA P-384 [FIPS186-5 §6.4.2] with ``signature`` r ‖ s, 72 bytes each, little-endian.

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
    """
    r = int.from_bytes(signature[:COORDINATE_BYTES], "little")
    s = int.from_bytes(signature[COORDINATE_BYTES : 2 * COORDINATE_BYTES], "little")
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA[algorithm])
    except InvalidSignature:
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail) from None
