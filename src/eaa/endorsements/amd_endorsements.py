"""AMD's endorsements for one SNP report, as verification takes them, and how they are found among many.

Everything here is received bytes; nothing has been verified. Selection is by unverified content, and decides
nothing: what is selected is verified afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements.amd_vek import parse_vek_extensions
from eaa.endorsements.collateral import parts_digest
from eaa.endorsements.crl import crl_der, parse_crl
from eaa.endorsements.pool import CrlRole, EndorsementPool
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_certificates import TableEntry, TableName

__all__ = [
    "AmdParts",
    "SnpEndorsements",
    "complete_chain",
    "parts_of_pool",
    "parts_of_table",
    "read_amd_parts",
    "select_endorsements",
]


@dataclass(frozen=True, slots=True)
class SnpEndorsements:
    """All that verifying one platform's reports needs besides the report, each DER, ``None`` if missing.

    ``vek`` is a VCEK or a VLEK, ``ask`` the ASK or ASVK that issued it, ``crl`` the ARK's.
    """

    vek: bytes | None
    ask: bytes | None
    ark: bytes | None
    crl: bytes | None

    @property
    def chain(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """ASK, ARK and list: what the VEK rests on."""
        return self.ask, self.ark, self.crl

    @property
    def digest(self) -> bytes:
        """:func:`parts_digest` of VEK, ASK, ARK and list; computed at each call."""
        return parts_digest((self.vek, *self.chain))


@dataclass(frozen=True, slots=True)
class AmdParts:
    """Certificates and revocation lists (DER) that came together."""

    certificates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()

    def __add__(self, other: AmdParts) -> AmdParts:
        return AmdParts(self.certificates + other.certificates, self.crls + other.crls)


def read_amd_parts(data: bytes) -> AmdParts:
    """What ``data`` holds: certificates as DER or PEM, or a revocation list as DER or PEM, by its content.

    Raises:
        FormatError: none of these.
    """
    if data.lstrip()[:5] == b"-----":
        if b"X509 CRL" in data[:64]:
            return AmdParts(crls=(_crl(data),))
        return AmdParts(tuple(map(parse_certificate, decode_pem_certificates(data, "AMD certificates"))))
    try:
        return AmdParts((parse_certificate(data),))
    except FormatError as error:
        try:
            return AmdParts(crls=(_crl(data),))
        except FormatError:
            raise error from None


def parts_of_pool(pool: EndorsementPool) -> AmdParts:
    """AMD's among the parts of ``pool``; certificates of others are there too, and do no harm."""
    certificates = tuple([item for group in pool.certificates for item in group])
    return AmdParts(certificates, tuple([item.der for item in pool.crls if item.role is CrlRole.ARK]))


def parts_of_table(entries: Iterable[TableEntry]) -> AmdParts:
    """What came with a report; entries whose GUID is not known are not looked at, nor empty ones.

    Raises:
        FormatError: an entry is neither certificates nor a revocation list.
    """
    parts = AmdParts()
    for entry in entries:
        if entry.data and entry.name is not TableName.OTHER:
            parts += read_amd_parts(entry.data)
    return parts


def _crl(data: bytes) -> bytes:
    der = crl_der(data)
    parse_crl(der)
    return der


def select_endorsements(
    report: SnpReport, parts: AmdParts, known: Sequence[Certificate] = ()
) -> SnpEndorsements:
    """What ``parts`` has for ``report``; issuers that it lacks are taken from ``known``.

    Among several VEKs, the one for the report's kind of key, chip and TCB version counts. One that fits
    another report only is selected if it is the only one, so that verification refuses it for what it is
    instead of calling it missing.
    """
    pool = (*parts.certificates, *known)
    veks = [item for item in parts.certificates if _fit(item, report) is not None]
    fitting = [item for item in veks if _fit(item, report)]
    vek = fitting[0] if fitting else veks[0] if len({item.der for item in veks}) == 1 else None
    ask = _issuer(vek, pool)
    ark = _issuer(ask, pool)
    lists = [(der, parse_crl(der)) for der in parts.crls]
    own = [(crl.this_update, der) for der, crl in lists if ark is not None and crl.issuer == ark.subject]
    return SnpEndorsements(
        vek=vek.der if vek else None,
        ask=ask.der if ask else None,
        ark=ark.der if ark else None,
        crl=max(own)[1] if own else None,
    )


def complete_chain(endorsements: SnpEndorsements, known: Iterable[Certificate]) -> SnpEndorsements:
    """``endorsements`` with the issuers that it lacks from ``known``.

    Raises:
        FormatError: a certificate in it is malformed.
    """
    pool = tuple(known)
    ask = _parsed(endorsements.ask) or _issuer(_parsed(endorsements.vek), pool)
    ark = _parsed(endorsements.ark) or _issuer(ask, pool)
    return replace(endorsements, ask=ask.der if ask else None, ark=ark.der if ark else None)


def _parsed(der: bytes | None) -> Certificate | None:
    return None if der is None else parse_certificate(der)


def _issuer(certificate: Certificate | None, pool: Iterable[Certificate]) -> Certificate | None:
    if certificate is None:
        return None
    return next((item for item in pool if item.subject == certificate.issuer), None)


def _fit(certificate: Certificate, report: SnpReport) -> bool | None:
    """Whether it is the VEK that ``report`` names; ``None`` if it is no VEK."""
    try:
        extensions = parse_vek_extensions(certificate)
    except (FormatError, UnsupportedError):
        return None
    if extensions.kind is not report.key_info.signing_key or extensions.tcb != report.reported_tcb:
        return False
    return extensions.hwid is None or report.chip_id_masked or extensions.chip_id == report.body.chip_id
