"""Signatures in cosign's format: a payload, and a base64 ECDSA signature over it [COSIGN-SIGNATURE]."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from eaa.errors import FormatError, SignatureError
from eaa.oci.digest import Digest

__all__ = [
    "PAYLOAD_MEDIA_TYPE",
    "SIGNATURE_ANNOTATION",
    "CosignSignature",
    "parse_public_key",
    "signature_tag",
    "verify_cosign",
]

#: Of the layer that is the payload, and of the annotation that is the signature.
PAYLOAD_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"


@dataclass(frozen=True, slots=True)
class CosignSignature:
    """As it came: the layer's bytes and the annotation's text."""

    payload: bytes
    signature: str


def signature_tag(digest: Digest) -> str:
    """The tag under which the signatures of the manifest ``digest`` are: ``sha256-<hex>.sig``."""
    return f"{digest.algorithm}-{digest.hex}.sig"


def parse_public_key(pem: bytes) -> EllipticCurvePublicKey:
    """The public key in ``pem``.

    Raises:
        FormatError: ``format.image_key``: no PEM public key, or not one on P-256.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _key_error("expected a PEM public key") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise _key_error(f"expected a key on P-256, got {type(key).__name__}")
    return key


def verify_cosign(signed: CosignSignature, keys: Sequence[EllipticCurvePublicKey]) -> bytes:
    """The payload, which one of ``keys`` has signed; what it says is not looked at.

    Raises:
        SignatureError: ``signature.image_signature_key``.
    """
    try:
        signature = base64.b64decode(signed.signature, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the signature is not base64", detail="image_signature_key") from None
    for key in keys:
        try:
            key.verify(signature, signed.payload, ECDSA(SHA256()))
        except InvalidSignature:
            continue
        return signed.payload
    raise SignatureError(
        f"not signed by {'the key' if len(keys) == 1 else f'any of {len(keys)} keys'} of the policy",
        detail="image_signature_key",
    )


def _key_error(message: str) -> FormatError:
    return FormatError(message, what="image signature key", field="PEM", detail="image_key")
