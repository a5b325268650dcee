"""Evidence as guests wrap it in JSON, by TEE [COCO-GUEST attester]: taken out, not looked at.

========== ==============================================================================
tdx        ``{"quote": base64, "cc_eventlog": base64 | null}``
sgx        ``{"quote": base64}``
snp        ``{"attestation_report": {…}, "cert_chain": [{"cert_type", "data"}] | null}``, the report by its
           fields as :mod:`eaa.evidence.snp_json` reads them
csv        as :mod:`eaa.evidence.hygon_csv_json` reads it, event log included
sample     ``{"svn": text, "report_data": base64}``, which proves nothing
========== ==============================================================================

Other members are not looked at: guest components v0.10 to v0.14 send a log of their own as ``aa_eventlog``,
which nothing vouches for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from eaa.broker.kbs.tees import Tee
from eaa.codec.members import bad_member, object_of, text_at
from eaa.codec.text import decode_base64
from eaa.errors import UnsupportedError
from eaa.evidence.dcap_quote import MAX_QUOTE_BYTES
from eaa.evidence.event_log import MAX_LOG_BYTES
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.evidence.snp_certificates import TableEntry
from eaa.evidence.snp_evidence import snp_evidence_of_json
from eaa.tls.peer import EvidenceKind

__all__ = ["ParsedEvidence", "SampleEvidence", "parse_evidence", "require_readable"]

MAX_SAMPLE_BYTES = 64
MAX_SVN_CHARS = 64

_KINDS: Mapping[Tee, EvidenceKind] = {
    Tee.TDX: EvidenceKind.TDX_QUOTE,
    Tee.SGX: EvidenceKind.SGX_QUOTE,
    Tee.SNP: EvidenceKind.SNP_REPORT,
    Tee.CSV: EvidenceKind.CSV_REPORT,
}
_SAMPLES = frozenset({Tee.SAMPLE, Tee.SAMPLE_DEVICE})


@dataclass(frozen=True, slots=True)
class ParsedEvidence:
    """Evidence that hardware may have signed: nothing is verified.

    ``certificates`` are what the host of an SNP guest supplied with its report.
    """

    tee: Tee
    kind: EvidenceKind
    evidence: bytes = field(repr=False)
    event_log: bytes | None = field(repr=False)
    certificates: tuple[TableEntry, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SampleEvidence:
    """Evidence that nobody signed, for trying out the protocol. Whoever takes it says so loudly.

    ``evidence`` is the JSON.
    """

    tee: Tee
    evidence: bytes = field(repr=False)
    svn: str
    report_data: bytes


def require_readable(tee: Tee) -> None:
    """Holds for a TEE that :func:`parse_evidence` reads, so that others are refused at once.

    Raises:
        UnsupportedError: ``unsupported.tee``.
    """
    if tee not in _KINDS and tee not in _SAMPLES:
        supported = ", ".join(sorted(_KINDS))
        raise UnsupportedError(
            f"evidence of {tee} is not implemented; what is: {supported}", detail="tee", tee=tee.value
        )


def parse_evidence(tee: Tee, value: Any) -> ParsedEvidence | SampleEvidence:
    """The evidence of ``tee`` in ``value``, JSON. A quote is at most 128 KiB, an event log at most 16 MiB.

    Raises:
        FormatError: another shape.
        UnsupportedError: ``unsupported.tee``; an SNP report of a processor that is not known here.
    """
    require_readable(tee)
    what = f"{tee} evidence"
    members = object_of(value, what, "JSON")
    if tee in _SAMPLES:
        return _sample(tee, members, what)
    if tee is Tee.CSV:
        return _csv(members, what)
    if tee is Tee.SNP:
        snp = snp_evidence_of_json(members)
        return ParsedEvidence(tee, _KINDS[tee], snp.report, None, snp.certificates)
    quote = _octets(members, "quote", MAX_QUOTE_BYTES, what)
    log = None
    if tee is Tee.TDX and members.get("cc_eventlog") is not None:
        log = _octets(members, "cc_eventlog", MAX_LOG_BYTES, what)
    return ParsedEvidence(tee, _KINDS[tee], quote, log)


def _csv(members: dict[str, Any], what: str) -> ParsedEvidence:
    """The JSON itself: that it is JSON says that the report's signer has no mask any more."""
    data = _json(members, what)
    found = parse_csv_evidence(data)
    # Reports of version 1 have no registers that a log could lead to.
    log = found.event_log if found.report.version > 1 else None
    return ParsedEvidence(Tee.CSV, EvidenceKind.CSV_REPORT, data, log)


def _sample(tee: Tee, members: dict[str, Any], what: str) -> SampleEvidence:
    svn = text_at(members, "svn", what)
    if len(svn) > MAX_SVN_CHARS:
        raise bad_member(what, "svn", f"more than {MAX_SVN_CHARS} characters", "too_large")
    report_data = _octets(members, "report_data", MAX_SAMPLE_BYTES, what)
    return SampleEvidence(tee, _json(members, what), svn, report_data)


def _json(members: dict[str, Any], what: str) -> bytes:
    try:
        return orjson.dumps(members)
    except TypeError as error:  # integers of more than 64 bits, lone surrogates, more than 254 levels
        raise bad_member(what, "JSON", f"not of the usual kind: {error}") from None


def _octets(members: dict[str, Any], name: str, limit: int, what: str) -> bytes:
    text = text_at(members, name, what)
    if not text:
        raise bad_member(what, name, "empty", "missing")
    if len(text) > (limit + 2) // 3 * 4:
        raise bad_member(what, name, f"more than {limit} bytes", "too_large")
    return decode_base64(text, what, name)
