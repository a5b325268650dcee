"""Keys, serial numbers and signatures of the simulated vendor.

All of a vendor's secrets follow from one seed, by a label for each, and signatures are deterministic
[FIPS186-5 §6.3.2]: the same model gives the same bytes, so that a root named as the anchor stays that root.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = ["SIGN_ALGORITHM", "KeySource", "PrivateKey", "PublicKey", "public_point", "sign_raw"]

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
SIGN_ALGORITHM = ec.ECDSA(SHA256(), deterministic_signing=True)

#: n − 1 of P-256 [SEC1 §2.1]: private keys are 1 … n − 1.
_P256_KEYS = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550


class KeySource:
    """Secrets and identifiers from ``seed``, one for each label."""

    __slots__ = ("_seed",)

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def key(self, label: str) -> PrivateKey:
        """The P-256 key of ``label``."""
        return ec.derive_private_key(
            int.from_bytes(self.data(f"key {label}", 64)) % _P256_KEYS + 1, ec.SECP256R1()
        )

    def serial(self, label: str) -> int:
        """The certificate serial number of ``label``: positive, at most 20 bytes [RFC5280 §4.1.2.2]."""
        return int.from_bytes(self.data(f"serial {label}", 20)) >> 1 | 1

    def data(self, label: str, length: int) -> bytes:
        """``length`` bytes of ``label``."""
        return hashlib.shake_256(self._seed + b"\x00" + label.encode()).digest(length)


def sign_raw(key: PrivateKey, data: bytes) -> bytes:
    """ECDSA P-256 with SHA-256 over ``data``: 64 bytes, r ‖ s, big-endian."""
    r, s = decode_dss_signature(key.sign(data, SIGN_ALGORITHM))
    return r.to_bytes(32) + s.to_bytes(32)


def public_point(key: PrivateKey) -> bytes:
    """The public key of ``key`` as x ‖ y, 64 bytes for P-256."""
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return numbers.x.to_bytes(size) + numbers.y.to_bytes(size)
