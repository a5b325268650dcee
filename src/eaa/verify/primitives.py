"""Signatures and comparison: with ``snp_signatures`` the only places where the room touches a primitive."""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from eaa.errors import SignatureError

__all__ = ["P256Key", "equal", "p256_key", "verify_p256", "verify_p256_raw"]

P256Key = ec.EllipticCurvePublicKey

_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(SHA256())


def p256_key(point: bytes) -> P256Key:
    """The key at an uncompressed point, 65 bytes. Raises ``ValueError`` if it is not on the curve."""
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)


def verify_p256(key: P256Key, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """ECDSA P-256 with SHA-256 and a DER signature [FIPS186-5 §6.4.2].

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
    """
    try:
        key.verify(signature, data, _ECDSA)
    except InvalidSignature:
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail) from None


def verify_p256_raw(key: P256Key, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """As :func:`verify_p256` with a signature of 64 bytes, r ‖ s, big-endian."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    verify_p256(key, encode_dss_signature(r, s), data, what, detail)


def equal(one: bytes, other: bytes) -> bool:
    """Whether both are the same bytes, in time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)
