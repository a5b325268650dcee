"""Attestation results as signed tokens: JWS in compact form, ES256 [RFC7515] [RFC7518 §3.4]."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from eaa.broker.signing_key import SigningKey
from eaa.broker.token_trust import endorsed_key
from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.codec.strict_json import parse_json
from eaa.errors import BindingError, ChainError, FormatError, SignatureError, ValidityPeriodError

__all__ = ["LEEWAY", "MAX_TOKEN_BYTES", "issue_token", "token_claims", "verify_token"]

MAX_TOKEN_BYTES = 256 * 1024
#: What clocks may differ by.
LEEWAY = timedelta(seconds=30)

_ALGORITHM = "ES256"
_SIGNATURE = ec.ECDSA(hashes.SHA256())
_INTEGER_BYTES = 32  # of each of the two in a signature


class _Registry(jws.JWSRegistry):
    """The library's bounds are too small for a header with certificates, and for claims with event logs."""

    max_header_length = 32 * 1024
    max_payload_length = MAX_TOKEN_BYTES


_REGISTRY = _Registry(algorithms=[_ALGORITHM], strict_check_header=False)


def issue_token(claims: Mapping[str, Any], key: SigningKey) -> str:
    """``claims`` signed by ``key``.

    Put together here: the library's way takes longer than the signature.
    """
    signed = b"%b.%b" % (key.protected, encode_base64url(orjson.dumps(claims)).encode())
    r, s = decode_dss_signature(key.private.sign(signed, _SIGNATURE))
    signature = r.to_bytes(_INTEGER_BYTES) + s.to_bytes(_INTEGER_BYTES)
    return f"{signed.decode()}.{encode_base64url(signature)}"


def verify_token(
    token: str,
    *,
    now: datetime,
    keys: Mapping[str, Any] | None,
    trust_anchors: Sequence[x509.Certificate],
    issuer: str,
    audience: str,
    nonce: str,
) -> dict[str, Any]:
    """The claims of a token that is genuine and valid at ``now``; without network.

    The key is that of ``keys`` which the header names by ``kid``, or else the one in the header if a
    certificate chain in it leads to a trust anchor. A key in the header alone is never believed.

    Args:
        token: in compact form, at most 256 KiB.
        now: aware.
        keys: a JWK set, as ``/.well-known/jwks.json`` gives it.
        trust_anchors: for the chain in the header.
        issuer: what ``iss`` must be, unless empty.
        audience: what ``aud`` must be or hold; if empty, a token that has an audience is refused.
        nonce: what ``eat_nonce`` must be, unless empty.

    Raises:
        FormatError: it is not such a token.
        ChainError: nobody vouches for its key.
        SignatureError: it was not signed by that key.
        ValidityPeriodError: expired, or not valid yet.
        BindingError: another issuer, audience or nonce.
    """
    header = _header(token)
    key = _key(header, keys, trust_anchors, now)
    try:
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
    except (JoseError, ValueError):
        raise SignatureError("the token was not signed by its key", detail="token") from None
    claims = _object(payload or b"", "claims")
    _require_time(claims, now)
    _require_same(claims, issuer, audience, nonce)
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_BYTES:
        raise _malformed(f"expected at most {MAX_TOKEN_BYTES} bytes, got {len(token)}", "size")
    first, *rest = token.split(".")
    if len(rest) != 2:
        raise _malformed(f"expected three parts, got {1 + len(rest)}", "parts")
    header = _object(decode_base64url(first, "token", "header"), "header")
    if header.get("alg") != _ALGORITHM:
        raise _malformed(f"expected algorithm {_ALGORITHM}, got {str(header.get('alg'))[:32]!r}", "alg")
    if "crit" in header or "b64" in header:
        raise _malformed("extensions of the signature are not supported", "crit")
    return header


def _key(
    header: Mapping[str, Any],
    keys: Mapping[str, Any] | None,
    anchors: Sequence[x509.Certificate],
    now: datetime,
) -> ECKey:
    kid = header.get("kid")
    for jwk in (keys or {}).get("keys", ()):
        if isinstance(kid, str) and jwk.get("kid") == kid:
            return _p256({name: jwk.get(name) for name in ("kty", "crv", "x", "y")})
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or not anchors:
        raise ChainError(f"no key of the key set is the token's, {str(kid)[:64]!r}", detail="token_key")
    public = endorsed_key(jwk, anchors=anchors, now=now)
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise _malformed("expected a P-256 key", "jwk")
    return ECKey.import_key(public)


def _p256(jwk: dict[str, Any]) -> ECKey:
    if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
        raise _malformed("expected a P-256 key", "jwk")
    try:
        return ECKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, binascii.Error):
        raise _malformed("the key of the key set does not decode", "jwk") from None


def _object(raw: bytes, field: str) -> dict[str, Any]:
    value = parse_json(raw, f"token {field}")
    if not isinstance(value, dict):
        raise _malformed(f"expected an object, got {type(value).__name__}", field)
    return value


def _require_time(claims: Mapping[str, Any], now: datetime) -> None:
    moment = now.timestamp()
    leeway = LEEWAY.total_seconds()
    expires, begins = _time(claims, "exp"), _time(claims, "nbf")
    if moment >= expires + leeway:
        raise ValidityPeriodError(
            f"the token expired at {expires:.0f}, now is {moment:.0f}", detail="token_expired"
        )
    if moment < begins - leeway:
        raise ValidityPeriodError(
            f"the token is valid from {begins:.0f}, now is {moment:.0f}", detail="token_not_yet"
        )


def _time(claims: Mapping[str, Any], name: str) -> float:
    """Of a token without ``nbf``, such as Trustee's, ``iat`` stands for it."""
    value = claims.get(name, claims.get("iat") if name == "nbf" else None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _malformed(f"expected a number of seconds, got {type(value).__name__}", name)
    return value


def _require_same(claims: Mapping[str, Any], issuer: str, audience: str, nonce: str) -> None:
    if issuer and claims.get("iss") != issuer:
        raise _other("iss", issuer, claims.get("iss"))
    stated = claims.get("aud")
    audiences = stated if isinstance(stated, list) else [stated]
    if audience not in audiences if audience else stated is not None:
        raise _other("aud", audience or "none", stated)
    if nonce and claims.get("eat_nonce") != nonce:
        raise _other("eat_nonce", nonce, claims.get("eat_nonce"))


def _other(claim: str, expected: str, came: object) -> BindingError:
    return BindingError(
        f"the token's {claim}: expected {expected!r}, got {str(came)[:128]!r}", detail=f"token_{claim}"
    )


def _malformed(message: str, field: str) -> FormatError:
    return FormatError(message, what="token", field=field, spec="[RFC7515 §7.1]", detail="token")


def token_claims(token: str) -> dict[str, Any]:
    """The claims of a token that was issued and kept here; nothing is verified."""
    return _object(decode_base64url(token.split(".")[1], "token", "claims"), "claims")
