"""A signed token of an administrator as text: JWS in compact form [RFC7515 §3.1], strict in every part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eaa.codec.base64url import decode_base64url, encode_base64url
from eaa.codec.strict_json import parse_json
from eaa.errors import CredentialError, FormatError

__all__ = ["AUDIENCE", "MAX_TOKEN_BYTES", "ParsedToken", "issue_admin_token", "parse_admin_token"]

AUDIENCE = "verdictd"
MAX_TOKEN_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """What a token says, of which nothing is verified; ``signed`` is what ``signature`` is over."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signature: bytes
    signed: bytes


def parse_admin_token(token: str) -> ParsedToken:
    """Three parts of canonical base64url, of which the first two are JSON objects, in at most 8 KiB.

    Raises:
        CredentialError: ``credential.malformed``.
    """
    data = token.encode(errors="replace")
    parts = data.split(b".")
    if len(data) > MAX_TOKEN_BYTES or len(parts) != 3:
        raise CredentialError(
            f"expected three parts in at most {MAX_TOKEN_BYTES} bytes, got {len(parts)} in {len(data)}",
            detail="malformed",
        )
    header, claims, signature = (_decode(part) for part in parts)
    return ParsedToken(_object(header), _object(claims), signature, b".".join(parts[:2]))


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = parse_json(data, "admin token")
    except FormatError as error:
        raise CredentialError(str(error), detail="malformed") from None
    if not isinstance(value, dict):
        raise CredentialError("expected JSON objects in the token", detail="malformed")
    return value


def issue_admin_token(
    private_key: Ed25519PrivateKey, kid: str, name: str, role: str, now: datetime, seconds: int
) -> str:
    """A token for ``name`` with ``role``, from ``now`` for ``seconds``, at most 3600."""
    header = {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
    issued = int(now.timestamp())
    claims = {"sub": name, "role": role, "aud": AUDIENCE, "iat": issued, "exp": issued + seconds}
    signed = ".".join(
        encode_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
    )
    return f"{signed}.{encode_base64url(private_key.sign(signed.encode()))}"


def _decode(part: bytes) -> bytes:
    try:
        return decode_base64url(part.decode("ascii", "replace"), "admin token", "part")
    except FormatError as error:
        raise CredentialError(str(error), detail="malformed") from None
