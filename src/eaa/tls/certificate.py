"""Certificates of attested TLS: what evidence they carry, and what it must be bound to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.tls.families import family_of
from eaa.tls.key import require_key
from eaa.tls.peer import AttachedEvidence

__all__ = ["CertificateEvidence", "read_certificate"]

_WHAT = "attested TLS certificate"
#: Of as many peers. An entry holds its certificate some three times over: 12 MiB if all are of 64 KiB.
_MAX_READINGS = 64
_NO_CLAIMS: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CertificateEvidence:
    """Evidence from a certificate. Nothing in it has been verified.

    It is bound to the key ``spki`` if, once verified, its *signed* report data is ``report_data``. Whether
    the peer holds that key, the TLS handshake shows. Not established: that the certificate is within its
    period, or signed by anyone; that ``nonce`` is one of ours; that any of this is fresh.
    """

    family: str  # slug of a row of eaa.tls.families.FAMILIES
    attached: AttachedEvidence
    spki: bytes  # SubjectPublicKeyInfo as it stands in the certificate
    report_data: bytes  # 64 bytes
    claims: Mapping[str, bytes]  # custom claims, covered by report_data
    nonce: bytes | None  # covered by report_data
    not_before: datetime  # aware, UTC
    not_after: datetime  # aware, UTC
    certificate: Certificate


@lru_cache(maxsize=_MAX_READINGS)
def read_certificate(der: bytes) -> CertificateEvidence:
    """The evidence in the certificate ``der``, which TLS gave for the peer: never null.

    Readings of the last certificates are remembered by all of their bytes: a peer shows the same one for
    minutes. A reading decides nothing: periods, evidence and endorsements are judged at each connection.
    What cannot be read is not remembered.

    Raises:
        FormatError: the certificate (at most 64 KiB), an extension given twice, evidence that is missing
            (``format.no_evidence``), malformed or more than 32 KiB, or claims or endorsements beside it.
        UnsupportedError: a kind of key, evidence or message.
        BindingError: ``binding.pubkey_hash``; the claims are of another key.
    """
    certificate = parse_certificate(der, what=_WHAT)
    require_key(certificate.spki)
    family = family_of(certificate)
    carried = family.read(certificate)
    return CertificateEvidence(
        family=family.slug,
        attached=carried.attached,
        spki=certificate.spki,
        report_data=carried.report_data,
        claims=carried.claims.custom if carried.claims else _NO_CLAIMS,
        nonce=carried.claims.nonce if carried.claims else None,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        certificate=certificate,
    )
