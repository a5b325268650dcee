"""AMD's endorsements as they come attached to a report: by its sender, or in its host's certificate table."""

from __future__ import annotations

from collections.abc import Iterable

from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements, parts_of_table, select_endorsements
from eaa.endorsements.x509 import parse_certificate
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_certificates import TableEntry

__all__ = ["endorsements_of_table", "parts_of_endorsements"]

_NONE = AmdParts()


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

    Raises:
        FormatError: an entry is not what its GUID says.
    """
    found = select_endorsements(report, parts_of_table(entries) + more)
    return None if found.vek is None else found
