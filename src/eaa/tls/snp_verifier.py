"""The verifier of a peer's SEV-SNP reports. In order:

1. The bytes are an attestation report.
2. Endorsements are taken from the own pool and from what the peer attached: of each part the one that fits
   the report, the own one first, and of revocation lists the latest. AMD's issuers are known. Whose they are
   decides nothing: they are verified like any.
3. The report is genuine, and its signed report data is exactly the 64 bytes asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eaa.endorsements.amd_attached import parts_of_endorsements
from eaa.endorsements.amd_endorsements import AmdParts, SnpEndorsements, parts_of_pool, select_endorsements
from eaa.endorsements.amd_roots import AMD_ISSUERS
from eaa.endorsements.pool import EndorsementPool
from eaa.endorsements.x509 import Certificate
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.tls.evidence_verifier import held
from eaa.tls.peer import AttachedEvidence
from eaa.verify.memo import MAX_REMEMBERED_BYTES, BoundedMemo
from eaa.verify.result import Binding
from eaa.verify.snp import SnpMemo, verify_report
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["SnpVerifier"]

#: Platforms whose endorsements are not looked for again.
_MAX_SELECTED = 1024


@dataclass(frozen=True, slots=True)
class SnpVerifier:
    """Verifies reports under ``trust_anchors``; ``allow_missing_crl`` as :func:`verify_report` has it."""

    pool: EndorsementPool | None
    trust_anchors: tuple[Certificate, ...]
    memo: SnpMemo
    allow_missing_crl: bool = False
    _own: AmdParts = field(init=False, repr=False, compare=False)
    _selected: BoundedMemo[SnpEndorsements] = field(
        default_factory=lambda: BoundedMemo(_MAX_SELECTED), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_own", AmdParts() if self.pool is None else parts_of_pool(self.pool))

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedSnpEvidence:
        """See :class:`GenuineVerifier`; ``config_id`` is compared with HOST_DATA, 32 bytes.

        Raises:
            EAAError: as :meth:`EvidenceVerifier.verify_genuine`.
        """
        # 1.
        report = parse_snp_report(evidence.evidence)
        # 2.–3.
        attached = evidence.collateral
        return verify_report(
            evidence.evidence,
            endorsements=self._endorsements(
                report, attached if isinstance(attached, SnpEndorsements) else None
            ),
            trust_anchors=self.trust_anchors,
            binding=Binding(held(report.body.report_data, report_data), config_id),
            now=now,
            memo=self.memo,
            allow_missing_crl=self.allow_missing_crl,
        )

    def _endorsements(self, report: SnpReport, attached: SnpEndorsements | None) -> SnpEndorsements:
        """What fits the platform; it depends on these values alone."""
        key = (attached, report.key_info.signing_key, report.reported_tcb, report.body.chip_id)
        found = self._selected.get(key)
        if found is None:
            parts = self._own if attached is None else self._own + parts_of_endorsements(attached)
            found = select_endorsements(report, parts, (*AMD_ISSUERS, *self.trust_anchors))
            if attached is not None and _size(attached) > MAX_REMEMBERED_BYTES:
                return found  # a peer that has proven nothing yet does not fill the memory
            self._selected.put(key, found)
        return found


def _size(endorsements: SnpEndorsements) -> int:
    return sum(len(part) for part in (endorsements.vek, *endorsements.chain) if part is not None)
