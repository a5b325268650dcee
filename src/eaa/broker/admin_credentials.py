"""Administrators' credentials: JWTs signed by keys that the configuration names [RFC7519] [RFC8725].

What is refused: every algorithm but EdDSA over Ed25519 and ES256, a key id that is not configured, an
algorithm that is not that of the key, a life of more than an hour. Keys come from the configuration alone:
``jwk``, ``jku`` and ``x5c`` of a header are not looked at, and ``kid`` is compared and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.broker.admin_token import AUDIENCE, issue_admin_token, parse_admin_token
from eaa.broker.administration.principal import Principal, Role
from eaa.errors import ConfigError, CredentialError

__all__ = [
    "LEEWAY",
    "LONGEST_LIFE",
    "AdminCredentials",
    "AdminKey",
    "issue_admin_token",
    "public_key_id",
]

#: What clocks may differ by.
LEEWAY = timedelta(seconds=60)
LONGEST_LIFE = timedelta(hours=1)

_NAME = re.compile(r"[!-~]{1,128}")
_P256_BYTES = 32

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class AdminKey:
    """A key whose tokens are believed.

    ``issuer`` and ``audience`` are demanded of its tokens where they are given; ``roles`` are those that it
    may give.

    Raises:
        ConfigError: ``config.admin_key``: neither Ed25519 nor P-256.
    """

    kid: str
    public_key: PublicKey
    roles: frozenset[str] = frozenset(Role)
    audience: str | None = AUDIENCE
    issuer: str | None = None

    def __post_init__(self) -> None:
        if self.algorithm == "":
            raise ConfigError(
                f"admin key {self.kid!r}: expected an Ed25519 or P-256 key", detail="admin_key", key=self.kid
            )

    @property
    def algorithm(self) -> str:
        """What its tokens are signed with."""
        if isinstance(self.public_key, Ed25519PublicKey):
            return "EdDSA"
        is_ec = isinstance(self.public_key, EllipticCurvePublicKey)
        return "ES256" if is_ec and self.public_key.curve.name == "secp256r1" else ""

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature``, 64 bytes, is its own over ``data`` [RFC8037 §3.1] [RFC7518 §3.4]."""
        try:
            if isinstance(self.public_key, Ed25519PublicKey):
                self.public_key.verify(signature, data)
            else:
                self.public_key.verify(_dss(signature), data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


class AdminCredentials:
    """The keys that are believed, by id.

    Raises:
        ConfigError: ``config.admin_key``: an id is given twice.
    """

    def __init__(self, keys: Iterable[AdminKey]) -> None:
        listed = tuple(keys)
        self._keys = MappingProxyType({key.kid: key for key in listed})
        if len(self._keys) != len(listed):
            raise ConfigError("admin keys: a kid is given twice", detail="admin_key")

    def verify(self, token: str, *, now: datetime) -> Principal:
        """Who the bearer of ``token`` is: ``<sub>@<kid>``, or ``<kid>`` if it has no ``sub``.

        1. three parts of canonical base64url, header and claims JSON objects, ``kid`` a text
        2. the algorithm is one of two
        3. the key id is known
        4. the algorithm is that of the key
        5. the signature verifies
        6. it has not expired
        7. the claims are as they must be

        Raises:
            CredentialError: ``credential.missing``, ``malformed`` (1), ``algorithm`` (2, 4),
                ``unknown_key`` (3), ``signature`` (5), ``expired`` (6) or ``claims`` (7).
        """
        if not token:
            raise CredentialError("expected a bearer token, got none", detail="missing")
        parsed = parse_admin_token(token)
        key = self._key(parsed.header)
        if not key.signed(parsed.signature, parsed.signed):
            raise CredentialError(f"the signature does not verify by key {key.kid!r}", detail="signature")
        _require_time(parsed.claims, now)
        return _principal(parsed.claims, key)

    def _key(self, header: Mapping[str, Any]) -> AdminKey:
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ("EdDSA", "ES256"):
            raise CredentialError(f"expected EdDSA or ES256, got {algorithm!r:.40}", detail="algorithm")
        if not isinstance(kid, str) or "crit" in header:
            raise CredentialError("expected a kid and no crit in the header", detail="malformed")
        key = self._keys.get(kid)
        if key is None:
            raise CredentialError(f"no admin key is called {kid!r:.80}", detail="unknown_key")
        if key.algorithm != algorithm:
            raise CredentialError(
                f"expected {key.algorithm} of key {kid!r}, got {algorithm}", detail="algorithm"
            )  # fmt: skip
        return key


def public_key_id(key: PublicKey) -> str:
    """How a key is called that nobody has named: the SHA-256 of its SPKI, 64 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _require_time(claims: Mapping[str, Any], now: datetime) -> None:
    issued, expires = (_seconds(claims, name) for name in ("iat", "exp"))
    moment, leeway = now.timestamp(), LEEWAY.total_seconds()
    if moment >= expires + leeway:
        raise CredentialError(f"it expired {moment - expires:.0f} seconds ago", detail="expired")
    if issued > moment + leeway:
        raise _claim("iat", "it is in the future")
    if not 0 < expires - issued <= LONGEST_LIFE.total_seconds():
        raise _claim("exp", f"expected up to 3600 seconds after iat, got {expires - issued:.0f}")
    if "nbf" in claims and _seconds(claims, "nbf") > moment + leeway:
        raise _claim("nbf", "it is in the future")


def _principal(claims: Mapping[str, Any], key: AdminKey) -> Principal:
    audience = claims.get("aud")
    if key.audience is not None and key.audience not in (
        audience if isinstance(audience, list) else [audience]
    ):
        raise _claim("aud", f"expected {key.audience!r}")
    if key.issuer is not None and claims.get("iss") != key.issuer:
        raise _claim("iss", f"expected {key.issuer!r}")
    role = claims.get("role")
    if not isinstance(role, str) or role not in key.roles:
        raise _claim("role", f"expected one of {', '.join(sorted(key.roles))}")
    name = claims.get("sub")
    if name is None:
        return Principal(key.kid, role)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _claim("sub", "expected 1 to 128 printable ASCII characters without space")
    return Principal(f"{name}@{key.kid}", role)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise _claim(name, "expected seconds since 1970")
    return float(value)


def _claim(name: str, message: str) -> CredentialError:
    return CredentialError(f"claim {name}: {message}", detail="claims", claim=name)


def _dss(signature: bytes) -> bytes:
    """``r ‖ s`` as DER; what has another length verifies under no key."""
    if len(signature) != 2 * _P256_BYTES:
        raise InvalidSignature
    r, s = (int.from_bytes(half) for half in (signature[:_P256_BYTES], signature[_P256_BYTES:]))
    return encode_dss_signature(r, s)
