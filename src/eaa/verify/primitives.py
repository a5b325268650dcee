"""Signatures as Intel writes them, and comparison in constant time."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from eaa.errors import BindingError, SignatureError, UsageError
from eaa.verify.ecdsa import EcdsaKey

__all__ = ["equal", "require_bound", "verify_p256", "verify_p256_raw"]


def verify_p256(key: EcdsaKey, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """ECDSA P-256 with SHA-256 and a DER signature [FIPS186-5 §6.4.2].

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
    """
    if not key.verifies(signature, data):
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail)


def verify_p256_raw(key: EcdsaKey, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """As :func:`verify_p256` with a signature of 64 bytes, r ‖ s, big-endian."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    verify_p256(key, encode_dss_signature(r, s), data, what, detail)


def equal(one: bytes, other: bytes) -> bool:
    """Whether both are the same bytes, in time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def require_bound(what: str, detail: str, expected: bytes, came: bytes) -> None:
    """Holds if ``came``, of the evidence, is ``expected``, over all bytes.

    Raises:
        UsageError: ``expected`` has not as many bytes as evidence of this kind has there.
        BindingError: it is another value.
    """
    if len(expected) != len(came):
        raise UsageError(
            f"the expected {what} has {len(expected)} bytes, this evidence carries {len(came)}",
            detail=f"{detail}_length",
        )
    if not equal(expected, came):
        raise BindingError(f"the {what} is {came.hex()}, expected {expected.hex()}", detail=detail)
