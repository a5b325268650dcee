"""CSV evidence as it is handed over, verified: what came with a report, what was given, what is pinned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from eaa.endorsements.hygon_certificate import HygonCaCertificate, parse_hygon_ca
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.verify.hygon_csv import CsvMemo, verify_csv_report
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.psp_chain import require_part
from eaa.verify.result import Binding

__all__ = ["verify_csv_evidence"]


def verify_csv_evidence(
    data: bytes,
    *,
    endorsements: CsvEndorsements,
    trust_anchors: Sequence[HygonCaCertificate],
    binding: Binding,
    now: datetime,
    memo: CsvMemo,
) -> VerifiedCsvEvidence:
    """The evidence in ``data``, in any shape that :func:`parse_csv_evidence` reads.

    HSK and CEK are those given, else those that came with it; the HRK need not be given.

    Raises: as :func:`eaa.verify.hygon_csv.verify_csv_report`.
    """
    evidence = parse_csv_evidence(data)
    found = endorsements.or_else(CsvEndorsements.of_evidence(evidence))
    # Without it, which HRK is missing too cannot be said.
    hsk = require_part(found.hsk, "HSK")
    if found.hrk is None:
        issuer = parse_hygon_ca(hsk).certifying_id
        hrk = next((item for item in (*trust_anchors, *HYGON_HRKS) if item.key_id == issuer), None)
        found = found if hrk is None else found.or_else(CsvEndorsements(hrk=hrk.raw))
    return verify_csv_report(
        evidence.report.raw,
        restored=evidence.report.restored,
        endorsements=found,
        trust_anchors=trust_anchors,
        binding=binding,
        mnonce=None,
        now=now,
        memo=memo,
    )
