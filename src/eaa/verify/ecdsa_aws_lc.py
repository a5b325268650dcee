"""ECDSA by AWS-LC, in the wheel ``awscrt``: the only module that touches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Any

from awscrt.crypto import EC

from eaa.endorsements.plain_der import P256_SPKI_PREFIX
from eaa.verify.ecdsa import EcdsaKey, EcdsaLibrary, require_p256_point, require_p384_spki

__all__ = ["AWS_LC"]


def _p256_key(point: bytes) -> EcdsaKey:
    require_p256_point(point)
    return _key(P256_SPKI_PREFIX + point, sha256)


def _p384_key(spki: bytes) -> EcdsaKey:
    require_p384_spki(spki)
    return _key(spki, sha384)


def _key(spki: bytes, digest: Callable[[bytes], Any]) -> EcdsaKey:
    try:
        return _Key(EC.new_key_from_der_data(spki), digest)
    except RuntimeError:  # of the library, with a number only
        raise ValueError("not a point on the curve") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    key: EC
    digest: Callable[[bytes], Any]

    def verifies(self, signature: bytes, data: bytes) -> bool:
        return bool(self.key.verify(self.digest(data).digest(), signature))


AWS_LC = EcdsaLibrary("AWS-LC", _p256_key, _p384_key)
