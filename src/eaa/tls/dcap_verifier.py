"""The verifier of a peer's DCAP quotes. In order:

 1. The bytes are a quote of the TEE that they were sent as.
 2. Endorsements are those of the own pool if it has the platform, else those that the peer attached.
    Whose they are decides nothing: they are verified like any.
 3. The evidence is genuine, and its signed report data is exactly the 64 bytes asked for.

A peer chooses the endorsements that it attaches, older ones that are still valid among them: whoever minds
has a pool of their own, or sets ``min_evaluation_data_number``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.pool import EndorsementPool, collateral_for
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import EndorsementNotFound, FormatError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification, parse_quote_frame
from eaa.tls.evidence_verifier import held
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.verify.dcap import Memo, verify_parsed_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.memo import MAX_REMEMBERED_BYTES, BoundedMemo
from eaa.verify.result import Binding

__all__ = ["DcapVerifier"]

_TEES = {EvidenceKind.SGX_QUOTE: "sgx", EvidenceKind.TDX_QUOTE: "tdx"}
#: Platforms whose endorsements are not looked for again.
_MAX_SELECTED = 1024


@dataclass(frozen=True, slots=True)
class DcapVerifier:
    """Verifies quotes of SGX and TDX under ``trust_anchors``."""

    pool: EndorsementPool | None
    trust_anchors: tuple[Certificate, ...]
    memo: Memo
    _selected: BoundedMemo[IntelCollateral] = field(
        default_factory=lambda: BoundedMemo(_MAX_SELECTED), init=False, repr=False, compare=False
    )

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedDcapEvidence:
        """See :class:`GenuineVerifier`; ``config_id`` is compared with CONFIGID or MRCONFIGID.

        Raises:
            EAAError: as :meth:`EvidenceVerifier.verify_genuine`.
        """
        # 1.
        quote = parse_quote_frame(evidence.evidence)
        if quote.tee != _TEES[evidence.kind]:
            raise FormatError(
                f"sent as {evidence.kind}, and is a quote of {quote.tee.upper()}",
                what="attached evidence", field="kind", detail="evidence_kind",
            )  # fmt: skip
        # 2.–3.
        attached = evidence.collateral
        return verify_parsed_quote(
            quote,
            collateral=self._collateral(quote, attached if isinstance(attached, IntelCollateral) else None),
            trust_anchors=self.trust_anchors,
            binding=Binding(held(quote.body.report_data, report_data), config_id),
            now=now,
            memo=self.memo,
        )

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
            if len(key) > MAX_REMEMBERED_BYTES:
                return found  # a peer that has proven nothing yet does not fill the memory
            self._selected.put(key, found)
        return found


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
