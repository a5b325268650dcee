"""The verifier of a peer's DCAP quotes. In order:

 1. The evidence is of a kind that this instance takes, and its bytes are what the kind says.
 2. Endorsements are those of the own pool if it has the platform, else those that the peer attached.
    Whose they are decides nothing: they are verified like any.
 3. The evidence is genuine, and its signed report data is exactly the 64 bytes asked for.
 4. It is acceptable under the policy.

A peer chooses the endorsements that it attaches, older ones that are still valid among them: whoever minds
has a pool of their own, or sets ``min_evaluation_data_number``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.pool import EndorsementPool, collateral_for
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import EndorsementNotFound, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification, parse_quote_frame
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.verify.dcap import Memo, verify_parsed_quote
from eaa.verify.result import Binding, VerifiedEvidence

__all__ = ["DcapVerifier"]

_TEES = {EvidenceKind.SGX_QUOTE: "sgx", EvidenceKind.TDX_QUOTE: "tdx"}
#: Platforms whose endorsements are not looked for again.
_MAX_SELECTED = 1024
_WHY = {
    EvidenceKind.TDX_REPORT: ": a TDREPORT is verified only by the quoting service of its own host",
    EvidenceKind.SGX_REPORT: ": an SGX report is verified only by an enclave on its own host",
    **dict.fromkeys(
        (EvidenceKind.SNP_REPORT, EvidenceKind.SEV_REPORT, EvidenceKind.CSV_REPORT),
        ": verifying it is not implemented yet",
    ),
}


@dataclass(frozen=True, slots=True)
class DcapVerifier:
    """Verifies and appraises quotes of ``kinds``, in this process and without network.

    ``notes`` are said once, when it is taken into use; ``warning``, if not empty, at each connection.
    """

    name: str
    kinds: tuple[EvidenceKind, ...]
    policy: Policy
    pool: EndorsementPool | None
    trust_anchors: tuple[Certificate, ...]
    memo: Memo
    notes: tuple[str, ...] = ()
    warning: str = ""
    _selected: dict[bytes, IntelCollateral] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

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
        # 4.
        return require(appraise(verified, self.policy, now=now))

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedEvidence:
        """Steps 1 to 3, for who appraises by another policy than :attr:`policy`.

        Args:
            evidence: what came.
            report_data: 64 bytes each; the evidence must hold one of them, the first if none.
            config_id: what the environment must have been started with, see :class:`Binding`.
            now: aware.

        Raises:
            EAAError: as :meth:`verify`, but never ``AppraisalDenied``.
        """
        # 1.
        self._require_kind(evidence.kind)
        quote = parse_quote_frame(evidence.evidence)
        if quote.tee != _TEES[evidence.kind]:
            raise FormatError(
                f"sent as {evidence.kind}, and is a quote of {quote.tee.upper()}",
                what="attached evidence", field="kind", detail="evidence_kind",
            )  # fmt: skip
        # 2.–3.
        return verify_parsed_quote(
            quote,
            collateral=self._collateral(quote, evidence.collateral),
            trust_anchors=self.trust_anchors,
            binding=Binding(_held(quote, report_data), config_id),
            now=now,
            memo=self.memo,
        )

    def _require_kind(self, kind: EvidenceKind) -> None:
        if kind not in self.kinds:
            takes = " or ".join(self.kinds)
            raise UnsupportedError(
                f"{self.name or 'automatic verifier'} takes {takes}, {kind} came{_WHY.get(kind, '')}",
                detail="evidence_kind", evidence_kind=str(kind),
            )  # fmt: skip

    def _collateral(self, quote: DcapQuote, attached: IntelCollateral | None) -> IntelCollateral:
        pool = self.pool
        if pool is not None and not pool.empty and (attached is None or _has_platform(pool, quote)):
            return self._of_platform(quote, pool)
        if attached is None:
            raise EndorsementNotFound(
                f"the peer attached no endorsements for its {quote.tee.upper()} quote, and none were given",
                detail="collateral",
            )
        return attached

    def _of_platform(self, quote: DcapQuote, pool: EndorsementPool) -> IntelCollateral:
        """What :func:`collateral_for` selects; it depends on the quote's certificates alone."""
        certification = parse_certification(quote).data
        key = b"%b %b" % (quote.tee.encode(), certification.data)
        found = self._selected.get(key)
        if found is None:
            found = collateral_for(quote, pool)
            if len(self._selected) >= _MAX_SELECTED:
                self._selected.clear()
            self._selected[key] = found
        return found


def _held(quote: DcapQuote, report_data: Sequence[bytes]) -> bytes:
    """Which one the unverified quote holds; verifying it then says whether that is signed."""
    return next((item for item in report_data if item == quote.body.report_data), report_data[0])


def _has_platform(pool: EndorsementPool, quote: DcapQuote) -> bool:
    """Whether ``pool`` has all of the platform's own, so that what the peer attached is not needed."""
    try:
        data = parse_certification(quote).data
        if data.type is not CertificationType.PCK_CHAIN:
            return False
        leaf = parse_certificate_chain(data.data, what="PCK certificate chain")[0]
        fmspc = parse_pck_extension(leaf).fmspc
    except FormatError:
        return False
    own = any((item.tee, item.fmspc) == (quote.tee, fmspc) for item in pool.tcb_infos)
    crl = any(item.issuer == leaf.issuer for item in pool.crls)
    return own and crl and _complete(pool.select(quote.tee, fmspc, leaf.issuer))


def _complete(collateral: IntelCollateral) -> bool:
    return None not in (
        collateral.tcb_info, collateral.qe_identity, collateral.root_ca_crl, collateral.pck_crl,
        collateral.pck_crl_issuer_chain,
    )  # fmt: skip
