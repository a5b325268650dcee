"""Sealed secrets of Confidential Containers: a JWS around what a secret is, or where it is [COCO-SEALED].

``sealed.<protected header>.<payload>.<signature>``, each in base64url. The payload cannot be read before the
signature has been verified over the bytes that came.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from eaa.codec.base64url import decode_base64url
from eaa.codec.members import text_at
from eaa.errors import FormatError, SignatureError, UnsupportedError, UsageError
from eaa.oci.members import parse_object
from eaa.oci.secret_payload import EnvelopeSecret, VaultSecret, open_envelope, parse_payload

__all__ = [
    "MAX_SEALED_SECRET_BYTES",
    "EnvelopeSecret",
    "SealedSecret",
    "VaultSecret",
    "open_envelope",
    "parse_sealed_secret",
]

#: A Kubernetes secret has at most 1 MiB.
MAX_SEALED_SECRET_BYTES = 1024 * 1024
#: What stands for header and signature in secrets made before there were signatures.
FAKE_HEADER = "fakejwsheader"
_PREFIX = "sealed"
_SIGNATURE_BYTES = 64
_WHAT = "sealed secret"
_SPEC = "[COCO-SEALED Integrity Protection]"


class SealedSecret:
    """A secret whose signature is not yet verified.

    ``kid`` names the key that verifies it, a ``kbs:///`` URI or a name.
    """

    __slots__ = ("_payload", "_signature", "_signed", "_verified", "kid")

    def __init__(self, kid: str, signed: bytes, payload: bytes, signature: bytes) -> None:
        self.kid = kid
        self._signed = signed
        self._payload = payload
        self._signature = signature
        self._verified = False

    def verify(self, public_key: EllipticCurvePublicKey) -> None:
        """Holds if ``public_key``, of P-256, has signed what came (ES256).

        Raises:
            SignatureError: ``signature.sealed_secret``.
            UnsupportedError: ``unsupported.sealed_secret_key``: a key of another curve.
        """
        if not isinstance(public_key.curve, SECP256R1):
            raise UnsupportedError(
                f"{_WHAT}: expected a key of P-256, got {public_key.curve.name}", detail="sealed_secret_key"
            )
        if len(self._signature) != _SIGNATURE_BYTES:
            raise _not_genuine(f"expected a signature of {_SIGNATURE_BYTES} bytes")
        half = _SIGNATURE_BYTES // 2
        r, s = (int.from_bytes(part, "big") for part in (self._signature[:half], self._signature[half:]))
        try:
            public_key.verify(encode_dss_signature(r, s), self._signed, ECDSA(SHA256()))
        except InvalidSignature:
            raise _not_genuine(f"the signature of {self.kid} does not verify") from None
        self._verified = True

    @property
    def payload(self) -> EnvelopeSecret | VaultSecret:
        """What was signed.

        Raises:
            UsageError: ``usage.not_verified``: :meth:`verify` has not succeeded.
            FormatError: it is no payload.
            UnsupportedError: its version or type.
        """
        if not self._verified:
            raise UsageError("a sealed secret is verified before it is read", detail="not_verified")
        return parse_payload(self._payload)


def parse_sealed_secret(text: str | bytes) -> SealedSecret:
    """The secret in ``text``, of at most 1 MiB.

    Raises:
        FormatError: it is none.
        UnsupportedError: ``unsupported.sealed_secret_algorithm``: not ES256, or with ``crit`` or without
            ``b64``; ``unsupported.unsigned_secret``.
    """
    header, payload, signature = _parts(text)
    if header == FAKE_HEADER:
        raise UnsupportedError(f"{_WHAT}: it is not signed; that is not allowed", detail="unsigned_secret")
    return SealedSecret(
        _kid(decode_base64url(header, _WHAT, "header")),
        f"{header}.{payload}".encode(),
        decode_base64url(payload, _WHAT, "payload"),
        decode_base64url(signature, _WHAT, "signature"),
    )


def _parts(text: str | bytes) -> tuple[str, str, str]:
    if len(text) > MAX_SEALED_SECRET_BYTES:
        raise _error("text", f"expected at most {MAX_SEALED_SECRET_BYTES} bytes", "too_large")
    try:
        parts = (text if isinstance(text, str) else text.decode("ascii")).strip().split(".")
    except UnicodeDecodeError:
        raise _error("text", "not ASCII") from None
    if len(parts) != 4 or parts[0] != _PREFIX:
        raise _error("text", "expected sealed.<header>.<payload>.<signature>")
    return parts[1], parts[2], parts[3]


def _kid(header: bytes) -> str:
    members = parse_object(header, _WHAT, limit=MAX_SEALED_SECRET_BYTES)
    algorithm = text_at(members, "alg", _WHAT)
    if algorithm != "ES256":
        raise _unsupported(f"expected alg ES256, got {algorithm[:32]!r}")
    if "crit" in members or members.get("b64", True) is not True:
        raise _unsupported("expected a header without crit, and b64 true")
    return text_at(members, "kid", _WHAT)


def _unsupported(message: str) -> UnsupportedError:
    return UnsupportedError(f"{_WHAT}: {message}", detail="sealed_secret_algorithm")


def _not_genuine(message: str) -> SignatureError:
    return SignatureError(f"{_WHAT}: {message}", detail="sealed_secret")


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
