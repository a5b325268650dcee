"""AMD's parts as they came: in a pool of files, in a host's certificate table, attached to evidence."""

from __future__ import annotations

from collections.abc import Iterable

from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements, read_amd_parts, select_endorsements
from eaa.endorsements.pool import EndorsementPool
from eaa.endorsements.x509 import parse_certificate
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_certificates import TableEntry, TableName

__all__ = ["endorsements_of_table", "parts_of_endorsements", "parts_of_pool"]

_NONE = AmdParts()


def parts_of_pool(pool: EndorsementPool) -> AmdParts:
    """All certificates and lists of ``pool``, Intel's among them: who selects takes what fits."""
    return AmdParts(
        tuple(certificate for group in pool.certificates for certificate in group),
        tuple(crl.der for crl in pool.crls),
    )


def parts_of_endorsements(endorsements: SnpEndorsements) -> AmdParts:
    """The parts that ``endorsements`` has.

    Raises:
        FormatError: a certificate is malformed.
    """
    certificates = (endorsements.vek, endorsements.ask, endorsements.ark)
    return AmdParts(
        tuple([parse_certificate(der) for der in certificates if der is not None]),
        () if endorsements.crl is None else (endorsements.crl,),
    )


def endorsements_of_table(
    report: SnpReport, entries: Iterable[TableEntry], more: AmdParts = _NONE
) -> SnpEndorsements | None:
    """What a host's certificate table and ``more`` have for ``report``; ``None`` if there is no VEK.

    Entries with a GUID that has no name here are passed over: hosts may add what they like.

    Raises:
        FormatError: an entry is not what its GUID says.
    """
    parts = _NONE
    for entry in entries:
        if entry.name is not TableName.OTHER:
            parts += read_amd_parts(entry.data)
    found = select_endorsements(report, parts + more)
    return None if found.vek is None else found
