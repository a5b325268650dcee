"""The signatures of AMD's certificates and reports: RSASSA-PSS with RSA-4096, and ECDSA with P-384."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import load_der_public_key

from eaa.errors import SignatureError
from eaa.verify.ecdsa import EcdsaKey

__all__ = [
    "RSA_PSS_SHA384",
    "RsaKey",
    "kept_rsa_key",
    "rsa_key",
    "verify_p384_report",
    "verify_rsa_pss",
]

RsaKey = rsa.RSAPublicKey

_PSS = (
    "a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
#: AlgorithmIdentifier of RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt [RFC8017 A.2.3]: as
#: AMD writes it, in older certificates with the default trailer field spelt out.
RSA_PSS_SHA384 = frozenset(
    {
        bytes.fromhex("304106092a864886f70d01010a3034" + _PSS),
        bytes.fromhex("304606092a864886f70d01010a3039" + _PSS + "a303020101"),
    }
)
_RSA_BITS = 4096

_PADDING = padding.PSS(padding.MGF1(SHA384()), 48)
_HASH = SHA384()


def rsa_key(spki: bytes) -> RsaKey:
    """The RSA-4096 key in ``spki``. Raises ``ValueError`` if it is another kind of key."""
    try:
        key = load_der_public_key(spki)
    except UnsupportedAlgorithm:
        raise ValueError("a kind of key that is not known") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != _RSA_BITS:
        raise ValueError(f"not an RSA key of {_RSA_BITS} bits")
    return key


@lru_cache(maxsize=32)
def kept_rsa_key(spki: bytes) -> RsaKey:
    """As :func:`rsa_key`, kept: of anchors and pinned certificates, with which every verification begins."""
    return rsa_key(spki)


def verify_rsa_pss(key: RsaKey, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """RSASSA-PSS with SHA-384 and 48 bytes of salt [RFC8017 §8.1.2].

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
    """
    try:
        key.verify(signature, data, _PADDING, _HASH)
    except InvalidSignature:
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail) from None


def verify_p384_report(key: EcdsaKey, r: bytes, s: bytes, data: bytes) -> None:
    """ECDSA P-384 with SHA-384 [FIPS186-5 §6.4.2]; ``r`` and ``s`` are 72 bytes, little-endian [SNP-ABI 10].

    Raises:
        SignatureError: the report was not signed, or the signature is not by ``key`` over ``data``.
    """
    signature = int.from_bytes(r, "little"), int.from_bytes(s, "little")
    if signature == (0, 0):
        raise SignatureError("the firmware did not sign the report", detail="report_unsigned")
    if not key.verifies(encode_dss_signature(*signature), data):
        raise SignatureError("the signature of the SNP report does not verify", detail="report")
