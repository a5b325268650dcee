"""Whether a key in a token's header is endorsed: by a certificate chain to an anchor that was named."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from eaa.errors import ChainError, FormatError, ValidityPeriodError

__all__ = ["MAX_CHAIN", "endorsed_key"]

#: Certificates in ``x5c``.
MAX_CHAIN = 8

#: What is raised of a certificate that is none of an authority's, or did not sign.
_NOT_ISSUED = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
)

_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def endorsed_key(jwk: Mapping[str, Any], *, anchors: Sequence[x509.Certificate], now: datetime) -> _Key:
    """The key of ``jwk``, if a certificate chain vouches for it.

    The first certificate of ``x5c`` [RFC7517 §4.7] is for this key, and leads to one of ``anchors``. The
    others may come in any order, and some of them may be of no use.

    Raises:
        FormatError: ``format.jwk`` or ``format.x5c``.
        ChainError: no ``x5c``, a certificate for another key, or no path to an anchor.
        ValidityPeriodError: a certificate on the path has expired or is not yet valid.
    """
    key = _public_key(jwk)
    leaf, *others = _certificates(jwk.get("x5c"))
    if _spki(leaf.public_key()) != _spki(key):
        raise ChainError("the certificate in x5c is for another key than the one beside it", detail="x5c_key")
    _require_path(leaf, others, anchors, now)
    return key


def _public_key(jwk: Mapping[str, Any]) -> _Key:
    kind = jwk.get("kty")
    public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    try:
        if kind == "EC":
            return ECKey.import_key(public).public_key
        if kind == "RSA":
            return RSAKey.import_key(public).public_key
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error):
        raise FormatError("the key does not decode", what="JWK", field="key", detail="jwk") from None
    raise FormatError(f"expected an EC or RSA key, got {kind!r}", what="JWK", field="kty", detail="jwk")


def _certificates(x5c: object) -> list[x509.Certificate]:
    if x5c is None:
        raise ChainError("the key in the header comes without x5c, so nobody vouches for it", detail="x5c")
    if not isinstance(x5c, list) or not 0 < len(x5c) <= MAX_CHAIN:
        raise FormatError(f"expected 1 to {MAX_CHAIN} certificates", what="JWK", field="x5c", detail="x5c")
    try:
        return [x509.load_der_x509_certificate(binascii.a2b_base64(text, strict_mode=True)) for text in x5c]
    except (ValueError, TypeError):
        raise FormatError("a certificate does not decode", what="JWK", field="x5c", detail="x5c") from None


def _require_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: datetime,
) -> None:
    current, path, left = leaf, [leaf], list(others)
    while True:
        below = len(path) - 1
        anchor = next((item for item in anchors if item == current or _issued(current, item, below)), None)
        if anchor is not None:
            break
        issuer = next((item for item in left if _issued(current, item, below)), None)
        if issuer is None:
            name = current.issuer.rfc4514_string()
            raise ChainError(f"no path from the token's key to a trust anchor: nobody vouches for {name!r}",
                             detail="x5c_path")  # fmt: skip
        left.remove(issuer)
        path.append(issuer)
        current = issuer
    for certificate in (*path, anchor):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise ValidityPeriodError(
                f"certificate {certificate.subject.rfc4514_string()!r} is valid from"
                f" {certificate.not_valid_before_utc} to {certificate.not_valid_after_utc}, now is {now}",
                detail="x5c",
            )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether ``issuer``, with ``below`` authorities under itself, is one that signed ``certificate``.

    It may sign certificates, and as many lie under it as it allows [RFC5280 §4.2.1.3, §4.2.1.9].
    """
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except _NOT_ISSUED:
        return False
    fits = constraints.path_length is None or below <= constraints.path_length
    return constraints.ca and fits and _may_sign_certificates(issuer)


def _may_sign_certificates(issuer: x509.Certificate) -> bool:
    """An authority without key usage is not restricted; many that were made by hand have none."""
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
