"""ECDSA with P-384 and SHA-384 [FIPS186-5 §6.4.2], by the library that the caller chooses [docs/adr/0016].

``cryptography`` is the default and releases the interpreter's lock while it works, so that threads add up.
AWS-LC takes half the time for one signature and holds the lock: for programs that verify one at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

__all__ = ["P384Key", "P384Library", "p384_key", "require_p384_spki"]

#: SubjectPublicKeyInfo of an uncompressed P-384 point, up to the 97 bytes of the point [RFC5480 §2].
_SPKI_PREFIX = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")
_SPKI_BYTES = len(_SPKI_PREFIX) + 97
_CURVE = ec.SECP384R1()
_ECDSA = ec.ECDSA(SHA384())


class P384Key(Protocol):
    """A public key on P-384."""

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature``, in DER, is by this key over ``data``."""


#: The key in a SubjectPublicKeyInfo; raises ``ValueError`` if it is of another kind, or not on the curve.
P384Library = Callable[[bytes], P384Key]


def p384_key(spki: bytes) -> P384Key:
    """By ``cryptography``; see :data:`P384Library`."""
    require_p384_spki(spki)
    return _Key(ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, spki[len(_SPKI_PREFIX) :]))


def require_p384_spki(spki: bytes) -> None:
    """Holds if ``spki`` is of a P-384 key with an uncompressed point, in its only encoding in DER.

    Raises:
        ValueError: it is not.
    """
    if len(spki) != _SPKI_BYTES or not spki.startswith(_SPKI_PREFIX):
        raise ValueError("not a P-384 key with an uncompressed point")


@dataclass(frozen=True, slots=True)
class _Key:
    key: ec.EllipticCurvePublicKey

    def verifies(self, signature: bytes, data: bytes) -> bool:
        try:
            self.key.verify(signature, data, _ECDSA)
        except InvalidSignature:
            return False
        return True
