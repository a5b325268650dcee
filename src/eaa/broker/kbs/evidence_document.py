"""Evidence in the documents that guests send, which :mod:`eaa.broker.kbs.evidence` reads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from eaa.broker.kbs.tees import Tee
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import UnsupportedError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_certificates import GUIDS, TableEntry, TableName
from eaa.evidence.snp_json_document import snp_evidence_document
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["SHOWN_KINDS", "TEE_OF_KIND", "evidence_document"]

#: TEEs as guest components name them, by what their evidence is.
TEE_OF_KIND: Mapping[EvidenceKind, Tee] = MappingProxyType(
    {
        EvidenceKind.TDX_QUOTE: Tee.TDX,
        EvidenceKind.SGX_QUOTE: Tee.SGX,
        EvidenceKind.SNP_REPORT: Tee.SNP,
        EvidenceKind.CSV_REPORT: Tee.CSV,
    }
)
#: What :func:`evidence_document` knows.
SHOWN_KINDS = frozenset({EvidenceKind.TDX_QUOTE, EvidenceKind.SGX_QUOTE, EvidenceKind.SNP_REPORT})


def evidence_document(collected: AttachedEvidence, event_log: bytes | None) -> dict[str, Any]:
    """``collected`` as JSON; ``event_log`` goes with a TD's quote alone.

    Raises:
        UnsupportedError: ``unsupported.evidence_document``.
        FormatError: an SNP report that is malformed.
    """
    quote = b64encode(collected.evidence).decode()
    match collected.kind:
        case EvidenceKind.TDX_QUOTE:
            return {"quote": quote, "cc_eventlog": b64encode(event_log).decode() if event_log else None}
        case EvidenceKind.SGX_QUOTE:
            return {"quote": quote}
        case EvidenceKind.SNP_REPORT:
            return _snp(collected)
        case kind:
            raise UnsupportedError(f"evidence of kind {kind} is not shown", detail="evidence_document")


def _snp(collected: AttachedEvidence) -> dict[str, Any]:
    report, given = parse_snp_report(collected.evidence), collected.collateral
    # Verifiers take no chain without the key that signed the report.
    if not isinstance(given, SnpEndorsements) or given.vek is None:
        return snp_evidence_document(report, ())
    vek = TableName.VLEK if report.key_info.signing_key is SigningKey.VLEK else TableName.VCEK
    parts = (
        (vek, given.vek), (TableName.ASK, given.ask), (TableName.ARK, given.ark), (TableName.CRL, given.crl),
    )  # fmt: skip
    return snp_evidence_document(
        report, [TableEntry(GUIDS[name], der) for name, der in parts if der is not None]
    )
