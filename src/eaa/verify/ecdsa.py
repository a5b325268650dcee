"""ECDSA with P-256 and SHA-256, and with P-384 and SHA-384 [FIPS186-5 §6.4.2], by a library of choice.

``cryptography`` is the default and releases the interpreter's lock while it works, so that threads add up.
AWS-LC takes less time for a signature and holds the lock: for programs that verify one after the other
[docs/adr/0016].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

__all__ = [
    "CRYPTOGRAPHY",
    "_P384_SPKI_PREFIX",
    "EcdsaKey",
    "EcdsaLibrary",
    "require_p256_point",
    "require_p384_spki",
]

#: SubjectPublicKeyInfo of an uncompressed P-384 point, up to the 97 bytes of the point [RFC5480 §2].
_P384_SPKI_PREFIX = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")
_P256_POINT_BYTES, _UNCOMPRESSED = 65, 4
_P384_SPKI_BYTES = len(_P384_SPKI_PREFIX) + 97
_P256, _P384 = ec.SECP256R1(), ec.SECP384R1()
_ECDSA_SHA256, _ECDSA_SHA384 = ec.ECDSA(SHA256()), ec.ECDSA(SHA384())


class EcdsaKey(Protocol):
    """A public key on one of the two curves."""

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature``, in DER, is by this key over ``data``."""


@dataclass(frozen=True, slots=True, eq=False)
class EcdsaLibrary:
    """Keys by one library.

    ``p256`` takes an uncompressed point, 65 bytes; ``p384`` a SubjectPublicKeyInfo in DER. Both raise
    ``ValueError`` if that is of another kind, or not on the curve.
    """

    name: str
    p256: Callable[[bytes], EcdsaKey]
    p384: Callable[[bytes], EcdsaKey]


def require_p256_point(point: bytes) -> None:
    """Holds if ``point`` is of the length and form of an uncompressed P-256 point [SEC1 §2.3.3].

    Raises:
        ValueError: it is not.
    """
    if len(point) != _P256_POINT_BYTES or point[0] != _UNCOMPRESSED:
        raise ValueError("not an uncompressed P-256 point")


def require_p384_spki(spki: bytes) -> None:
    """Holds if ``spki`` is of a P-384 key with an uncompressed point, in its only encoding in DER.

    Raises:
        ValueError: it is not.
    """
    if len(spki) != _P384_SPKI_BYTES or not spki.startswith(_P384_SPKI_PREFIX):
        raise ValueError("not a P-384 key with an uncompressed point")


def _p256_key(point: bytes) -> EcdsaKey:
    require_p256_point(point)
    return _Key(ec.EllipticCurvePublicKey.from_encoded_point(_P256, point), _ECDSA_SHA256)


def _p384_key(spki: bytes) -> EcdsaKey:
    require_p384_spki(spki)
    point = spki[len(_P384_SPKI_PREFIX) :]
    return _Key(ec.EllipticCurvePublicKey.from_encoded_point(_P384, point), _ECDSA_SHA384)


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    key: ec.EllipticCurvePublicKey
    algorithm: ec.ECDSA

    def verifies(self, signature: bytes, data: bytes) -> bool:
        try:
            self.key.verify(signature, data, self.algorithm)
        except InvalidSignature:
            return False
        return True


CRYPTOGRAPHY = EcdsaLibrary("cryptography", _p256_key, _p384_key)
