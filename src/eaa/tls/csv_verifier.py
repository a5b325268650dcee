"""The verifier of a peer's Hygon CSV reports. In order:

1. The bytes are an attestation report, in one of the forms that :mod:`eaa.evidence.hygon_csv_evidence` reads.
2. HSK and CEK are those that came with it. Whose they are decides nothing: they are verified like any.
3. The report is genuine, and its signed report data is exactly the 64 bytes asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.tls.evidence_verifier import held
from eaa.tls.peer import AttachedEvidence
from eaa.verify.hygon_csv import CsvMemo, verify_csv_report
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import Binding

__all__ = ["CsvVerifier"]


@dataclass(frozen=True, slots=True)
class CsvVerifier:
    """Verifies reports under ``trust_anchors``, of which the first stands in for an HRK that was not sent."""

    trust_anchors: tuple[HygonCaCertificate, ...]
    memo: CsvMemo

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedCsvEvidence:
        """See :class:`GenuineVerifier`; there is no ``config_id``: one that is given is a UsageError.

        Raises:
            EAAError: as :meth:`EvidenceVerifier.verify_genuine`.
            ConfigError: the extra ``csv`` is not installed.
        """
        # 1.
        found = parse_csv_evidence(evidence.evidence)
        report = found.report
        # 2.–3.
        roots = CsvEndorsements(hrk=next((anchor.raw for anchor in self.trust_anchors), None))
        return verify_csv_report(
            report.encode(),
            restored=report.restored,
            endorsements=CsvEndorsements.of_evidence(found).or_else(roots),
            trust_anchors=self.trust_anchors,
            binding=Binding(held(report.tee_info.report_data, report_data), config_id),
            mnonce=None,
            now=now,
            memo=self.memo,
        )
