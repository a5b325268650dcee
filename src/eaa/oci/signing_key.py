"""The public key that verifies a sealed secret: a JWK, as the confidential data hub reads it [RFC7517]."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)

from eaa.codec.base64url import decode_base64url
from eaa.codec.members import text_at
from eaa.errors import FormatError, UnsupportedError
from eaa.oci.members import parse_object

__all__ = ["parse_signing_key"]

_LIMIT = 16 * 1024
_COORDINATE_BYTES = 32
_WHAT = "signing key"


def parse_signing_key(data: bytes) -> EllipticCurvePublicKey:
    """The key in ``data``, a JWK of ``kty`` EC and ``crv`` P-256. A private half is not read.

    Raises:
        FormatError: it is none, or its point is not on the curve.
        UnsupportedError: ``unsupported.sealed_secret_key``: of another kind.
    """
    members = parse_object(data, _WHAT, limit=_LIMIT)
    kind = (text_at(members, "kty", _WHAT), text_at(members, "crv", _WHAT))
    if kind != ("EC", "P-256") or members.get("alg", "ES256") != "ES256":
        raise UnsupportedError(f"{_WHAT}: expected a JWK of P-256 for ES256", detail="sealed_secret_key")
    x, y = (_coordinate(text_at(members, name, _WHAT), name) for name in ("x", "y"))
    try:
        return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:
        raise FormatError("the point is not on the curve", what=_WHAT, field="x, y") from None


def _coordinate(text: str, name: str) -> int:
    data = decode_base64url(text, _WHAT, name)
    if len(data) != _COORDINATE_BYTES:
        raise FormatError(f"expected {_COORDINATE_BYTES} bytes, came {len(data)}", what=_WHAT, field=name)
    return int.from_bytes(data, "big")
