"""Reference values by name in a file that one of the configured keys signs.

The file is a JSON object. ``payload`` is the text of ``{"values": …, "expires_at": …}``; the signature is
over the format's name, the length of that text and its exact bytes. It protects against a file that was
changed by who does not hold the key, not against an older file of the same signer that holds still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError, SignatureError, UsageError

__all__ = [
    "FORMAT",
    "NO_SIGNERS",
    "ReferenceSigners",
    "SignedReferences",
    "SignedText",
    "parse_signed_text",
    "signer_id",
    "text_to_sign",
]

FORMAT = "eaa-named-reference-values/1"
MAX_BYTES = 2 * 1024 * 1024
_WHAT = "signed reference values"
_MEMBERS = {"format", "payload", "key_id", "signature"}
_PAYLOAD_MEMBERS = {"values", "expires_at"}
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class SignedText:
    """What such a file holds; nothing is verified. ``signature`` has 64 bytes."""

    payload: bytes
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedReferences:
    """Values by name, signed by the key ``key_id``, and until when they hold: aware."""

    values: Mapping[str, Any]
    expires_at: datetime
    key_id: str


@dataclass(frozen=True, slots=True)
class ReferenceSigners:
    """Whose values are believed, by key id. With ``required`` no others are taken."""

    keys: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)
    required: bool = False

    @classmethod
    def of(cls, keys: Iterable[Ed25519PublicKey], *, required: bool = False) -> ReferenceSigners:
        """Those of ``keys``."""
        return cls(MappingProxyType({signer_id(key): key for key in keys}), required)

    def verify(self, data: bytes) -> SignedReferences:
        """The values of the file ``data``, at most 2 MiB, which one of these keys has signed.

        Raises:
            FormatError: not of the form.
            SignatureError: ``signature.reference_signer``: a key that is none of these;
                ``signature.reference_values``: changed.
            UsageError: ``usage.reference_signers``: there are no such keys.
        """
        signed = parse_signed_text(data)
        if not self.keys:
            raise UsageError(
                "no signer of reference values is configured: [references] signers names public keys",
                detail="reference_signers",
            )
        if (key := self.keys.get(signed.key_id)) is None:
            raise SignatureError(
                f"signed by {signed.key_id[:16]}…, which is none of the configured signers",
                detail="reference_signer",
            )
        try:
            key.verify(signed.signature, text_to_sign(signed.payload))
        except InvalidSignature:
            raise SignatureError(
                "the signature does not verify: the file was changed", detail="reference_values"
            ) from None
        return _parse_payload(signed)


NO_SIGNERS = ReferenceSigners()


def signer_id(key: Ed25519PublicKey) -> str:
    """The SHA-256 of the key's SPKI in hexadecimal."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def text_to_sign(payload: bytes) -> bytes:
    """What is signed of ``payload``."""
    return b"%b %d %b" % (FORMAT.encode(), len(payload), payload)


def parse_signed_text(data: bytes) -> SignedText:
    """What the file ``data`` holds.

    Raises:
        FormatError: not of the form.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(
            f"{len(data)} bytes exceed {MAX_BYTES}", what=_WHAT, field="length", detail="too_large"
        )
    document = _object(parse_json(data, _WHAT), _MEMBERS, "document")
    if document["format"] != FORMAT:
        raise FormatError(f"expected {FORMAT}", what=_WHAT, field="format")
    signature = decode_base64(document["signature"], _WHAT, "signature", length=_SIGNATURE_BYTES)
    return SignedText(_utf8(document["payload"]), str(document["key_id"]), signature)


def _parse_payload(signed: SignedText) -> SignedReferences:
    payload = _object(parse_json(signed.payload, _WHAT), _PAYLOAD_MEMBERS, "payload")
    values, expiry = payload["values"], payload["expires_at"]
    if not isinstance(values, dict):
        raise FormatError("expected an object", what=_WHAT, field="payload.values")
    try:
        until = datetime.fromisoformat(str(expiry))
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise FormatError("expected a time of RFC 3339", what=_WHAT, field="payload.expires_at")
    return SignedReferences(values, until, signed.key_id)


def _object(value: Any, members: set[str], field: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise FormatError(f"expected an object with {', '.join(sorted(members))}", what=_WHAT, field=field)
    return value


def _utf8(text: Any) -> bytes:
    try:
        return str(text).encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise FormatError("not UTF-8", what=_WHAT, field="payload") from None
