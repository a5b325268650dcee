"""Minting the interoperable certificate, in the profile of rats-tls and librats [RA-TLS X.509 Cert].

Self-signed X.509 v3; subject O=``Inclavare Containers``, CN=``RATS-TLS``; CA:FALSE, key identifiers, and
the extensions of :mod:`eaa.tls.dice` and :mod:`eaa.tls.dice_endorsements`, not critical, because TLS
libraries refuse what they do not know and Gramine refuses the flag itself. Signatures are deterministic:
the same arguments give the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from eaa.endorsements.x509 import MAX_CERTIFICATE_BYTES
from eaa.errors import BindingError, FormatError, UnsupportedError, UsageError
from eaa.tls.carried import MAX_EVIDENCE_BYTES, intel_quote_kind
from eaa.tls.claims import parse_claims
from eaa.tls.dice import ENDORSED_TAGS, EVIDENCE_OID, QUOTE_TAG, TAG_OF_KIND, encode_tagged_evidence
from eaa.tls.dice_endorsements import ENDORSEMENTS_OID, encode_endorsements
from eaa.tls.key import require_key
from eaa.tls.peer import AttachedEvidence

__all__ = ["PrivateKey", "mint_certificate", "public_key_info"]

PrivateKey: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey

ORGANIZATION = "Inclavare Containers"
_P384_BITS = 384
#: Gramine reads the length of extnValue only where it has two octets.
_MIN_EXTENSION_BYTES, _MAX_EXTENSION_BYTES = 0x100, 0xFFFF


def public_key_info(key: PrivateKey) -> bytes:
    """SubjectPublicKeyInfo in DER of ``key``'s public half: what claims are encoded for."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def mint_certificate(
    key: PrivateKey,
    attached: AttachedEvidence,
    claims: bytes,
    *,
    not_before: datetime,
    not_after: datetime,
    serial: int = 1,
    common_name: str = "RATS-TLS",
) -> bytes:
    """The DER of a certificate for ``key`` that carries ``attached``.

    Args:
        key: P-256, P-384, or RSA of 3072 bits or more.
        attached: evidence collected with report data of ``claims``; that is not looked at here.
        claims: the claims buffer, of ``key``.
        not_before, not_after: aware. Whoever has the key can replay the certificate for as long.

    Raises:
        UsageError: a key of another kind, claims of another key, evidence of another kind or size than
            said, endorsements for what has no format for them, times that are naive or in the wrong order.
    """
    spki = public_key_info(key)
    _require_usable(spki, attached, claims, not_before, not_after)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    for oid, value in _extensions(attached, claims):
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=False)
    der = _sign(builder, key).public_bytes(Encoding.DER)
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise UsageError(f"a certificate of {len(der)} bytes is too large", detail="certificate_size")
    return der


def _require_usable(
    spki: bytes, attached: AttachedEvidence, claims: bytes, not_before: datetime, not_after: datetime
) -> None:
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise UsageError("the validity must be aware datetimes", detail="naive_datetime")
    if not_before > not_after:
        raise UsageError("the validity ends before it begins", detail="validity")
    if not 0 < len(attached.evidence) <= MAX_EVIDENCE_BYTES:
        raise UsageError(f"evidence of {len(attached.evidence)} bytes", detail="evidence_size")
    is_quote = TAG_OF_KIND[attached.kind] == QUOTE_TAG
    if attached.collateral is not None and TAG_OF_KIND[attached.kind] not in ENDORSED_TAGS:
        raise UsageError(f"endorsements of a {attached.kind} have no format", detail="endorsements_kind")
    try:
        if is_quote and intel_quote_kind(attached.evidence) is not attached.kind:
            raise UsageError(f"the evidence is no {attached.kind}", detail="evidence_kind")
        require_key(spki)
        parse_claims(claims).require_bound(spki)
    except (FormatError, UnsupportedError, BindingError) as error:
        raise UsageError(f"cannot be minted: {error}", detail=error.code.replace(".", "_")) from error


def _extensions(attached: AttachedEvidence, claims: bytes) -> list[tuple[str, bytes]]:
    evidence = encode_tagged_evidence(attached, claims)
    if not _MIN_EXTENSION_BYTES <= len(evidence) <= _MAX_EXTENSION_BYTES:
        raise UsageError(f"an evidence extension of {len(evidence)} bytes", detail="evidence_size")
    if attached.collateral is None:
        return [(EVIDENCE_OID, evidence)]
    endorsements = encode_endorsements(TAG_OF_KIND[attached.kind], attached.collateral)
    return [(EVIDENCE_OID, evidence), (ENDORSEMENTS_OID, endorsements)]


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    if isinstance(key, RSAPrivateKey):
        return builder.sign(key, SHA256())
    algorithm = SHA384() if key.curve.key_size == _P384_BITS else SHA256()
    return builder.sign(key, algorithm, ecdsa_deterministic=True)
