"""The verifier of a peer's evidence, whatever hardware signed it. In order:

1. The evidence is of a kind that this instance takes.
2. It is genuine, as the verifier of its kind says, and its signed report data is exactly the 64 bytes
   asked for.
3. It is acceptable under the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.errors import UnsupportedError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.verify.result import VerifiedEvidence

__all__ = ["EvidenceVerifier", "GenuineVerifier", "held"]

_WHY = {
    EvidenceKind.TDX_REPORT: ": a TDREPORT is verified only by the quoting service of its own host",
    EvidenceKind.SGX_REPORT: ": an SGX report is verified only by an enclave on its own host",
    EvidenceKind.SEV_REPORT: ": a SEV report holds nothing that would bind it to a key",
}


class GenuineVerifier(Protocol):
    """Verifies the evidence of one vendor."""

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedEvidence:
        """As :meth:`EvidenceVerifier.verify_genuine`, of evidence of a kind that it knows."""
        ...


@dataclass(frozen=True, slots=True)
class EvidenceVerifier:
    """Verifies and appraises evidence of the kinds in ``vendors``, in this process and without network.

    ``notes`` are said once, when it is taken into use; ``warning``, if not empty, at each connection.
    """

    name: str
    vendors: Mapping[EvidenceKind, GenuineVerifier]
    policy: Policy
    notes: tuple[str, ...] = ()
    warning: str = ""

    def verify(self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime) -> AttestationResult:
        """The accepted result.

        Raises:
            UnsupportedError: ``unsupported.evidence_kind``: this instance does not take such evidence.
            FormatError: malformed; ``format.evidence_kind`` if it is not of the kind it was sent as.
            EndorsementNotFound: neither the pool nor the peer has what is needed.
            VerificationError: not genuine, or not bound to ``report_data``.
            AppraisalDenied: genuine, and not acceptable under the policy.
            UsageError: ``report_data`` has not 64 bytes, or ``now`` is naive.
        """
        verified = self.verify_genuine(evidence, report_data=(report_data,), config_id=None, now=now)
        # 3.
        return require(appraise(verified, self.policy, now=now))

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedEvidence:
        """Steps 1 and 2, for who appraises by another policy than :attr:`policy`.

        Args:
            evidence: what came.
            report_data: 64 bytes each; the evidence must hold one of them, the first if none.
            config_id: what the environment must have been started with, see :class:`Binding`.
            now: aware.

        Raises:
            EAAError: as :meth:`verify`, but never ``AppraisalDenied``.
        """
        # 1.
        vendor = self.vendors.get(evidence.kind)
        if vendor is None:
            takes = " or ".join(self.vendors)
            raise UnsupportedError(
                f"{self.name or 'automatic verifier'} takes {takes}, {evidence.kind} came"
                f"{_WHY.get(evidence.kind, '')}",
                detail="evidence_kind", evidence_kind=str(evidence.kind),
            )  # fmt: skip
        # 2.
        return vendor.verify_genuine(evidence, report_data=report_data, config_id=config_id, now=now)


def held(came: bytes, expected: Sequence[bytes]) -> bytes:
    """The one of ``expected`` that unverified evidence holds: verifying it says whether that is signed."""
    return next((item for item in expected if item == came), expected[0])
