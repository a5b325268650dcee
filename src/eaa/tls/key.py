"""Keys that the certificate of an attested channel may have: P-256, P-384, RSA of 3072 bits or more."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from eaa.errors import UnsupportedError

__all__ = ["MIN_RSA_BITS", "pkcs1_or_spki", "require_key"]

MIN_RSA_BITS = 3072
#: SubjectPublicKeyInfo of uncompressed points up to x ‖ y, and how many bytes that has [RFC5480 §2].
_EC_FORMS = (
    (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), 64),  # P-256
    (bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"), 96),  # P-384
)


def require_key(spki: bytes) -> None:
    """Holds if ``spki``, SubjectPublicKeyInfo, is of a kind in use here and in its one encoding.

    That a point is on its curve is for the TLS library, which the peer had to convince of the key.

    Raises:
        UnsupportedError: ``unsupported.key_type``.
    """
    if is_ec(spki):
        return
    key = _rsa(spki)
    if key is None or key.key_size < MIN_RSA_BITS or _spki(key) != spki:
        kind = f"RSA of {key.key_size} bits" if key else "of an unknown kind or form"
        raise UnsupportedError(
            f"the certificate's key is {kind}; supported are P-256, P-384 and RSA from {MIN_RSA_BITS} bits",
            detail="key_type",
        )


def is_ec(spki: bytes) -> bool:
    """Whether ``spki`` is of an uncompressed point of P-256 or P-384."""
    return any(
        len(spki) == len(prefix) + point_bytes and spki.startswith(prefix)
        for prefix, point_bytes in _EC_FORMS
    )


def pkcs1_or_spki(spki: bytes) -> bytes:
    """RSAPublicKey [RFC8017 A.1.1] in DER if ``spki`` is of an RSA key, else ``spki``."""
    key = _rsa(spki)
    return spki if key is None else key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def _rsa(spki: bytes) -> RSAPublicKey | None:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _spki(key: RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
