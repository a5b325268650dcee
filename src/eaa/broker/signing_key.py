"""The key that signs attestation results, and what is published of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from eaa.broker.records import ServiceKey
from eaa.codec.base64url import encode_base64url
from eaa.errors import ConfigError

__all__ = ["SigningKey", "key_set", "p256_jwk"]

_COORDINATE_BYTES = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key with its certificate chain, leaf first, and how a JWS names it [RFC7517 §4]."""

    kid: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public_jwk: dict[str, Any]
    protected: bytes = field(init=False, repr=False)  # the header of what it signs, in base64url

    def __post_init__(self) -> None:
        object.__setattr__(self, "protected", encode_base64url(orjson.dumps(self.header)).encode())

    @classmethod
    def of(cls, key: ServiceKey) -> SigningKey:
        """The signing key that ``key`` holds.

        Raises:
            ConfigError: ``config.signing_key``: not a P-256 private key in PKCS#8.
        """
        try:
            private = load_der_private_key(key.material, None)
        except ValueError:
            private = None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise ConfigError(
                f"signing key {key.kid}: expected a P-256 private key in PKCS#8", detail="signing_key"
            )
        jwk = p256_jwk(private.public_key())
        jwk |= {"alg": "ES256", "use": "sig", "kid": key.kid}
        if key.certificate_chain:
            jwk["x5c"] = [base64.b64encode(der).decode() for der in key.certificate_chain]
        return cls(key.kid, private, jwk)

    @property
    def header(self) -> dict[str, Any]:
        """The protected header of what it signs; the key is in it as Trustee's relying parties expect."""
        return {"typ": "JWT", "alg": "ES256", "kid": self.kid, "jwk": self.public_jwk}


def key_set(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """The JWK set [RFC7517 §5] of ``keys``: newest first, and those whose tokens are still believed."""
    return {"keys": [key.public_jwk for key in keys]}


def p256_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, Any]:
    """``key`` as a JWK [RFC7518 §6.2.1]."""
    numbers = key.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}


def _coordinate(value: int) -> str:
    return encode_base64url(value.to_bytes(_COORDINATE_BYTES))
