"""SNP evidence in the shapes that people and programs hand it over, taken out of them.

====================== ==========================================================================
raw                    the report, 1184 bytes
extended               the report, then the certificate table of an extended report request
JSON                   as guest components write it, or with the report in base64
base64                 any of these
====================== ==========================================================================

configfs-tsm gives report and table as two files, ``outblob`` and ``auxblob`` [LINUX-TSM].
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field
from typing import Any

from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError
from eaa.evidence.snp import SNP_REPORT_BYTES
from eaa.evidence.snp_certificates import (
    MAX_TABLE_BYTES,
    CertificateTable,
    TableEntry,
    encode_certificate_table,
    parse_certificate_table,
)
from eaa.evidence.snp_json import certificates_of_json, report_of_json

__all__ = [
    "MAX_SNP_EVIDENCE_BYTES",
    "SnpEvidence",
    "parse_snp_evidence",
    "snp_evidence_of_json",
    "snp_evidence_of_tsm",
]

#: Each byte of JSON's arrays takes at most four.
MAX_SNP_EVIDENCE_BYTES = 4 * (SNP_REPORT_BYTES + MAX_TABLE_BYTES) + 4096
_WHAT = "SNP evidence"
_MEMBERS = {"attestation_report", "cert_chain"}


@dataclass(frozen=True, slots=True)
class SnpEvidence:
    """A report's bytes, not looked at yet, and the certificates that came with it."""

    report: bytes = field(repr=False)
    certificates: tuple[TableEntry, ...] = field(repr=False)

    @property
    def table(self) -> CertificateTable:
        return CertificateTable(self.certificates)

    def encode(self) -> bytes:
        """The extended form: the report, then the table if there are certificates."""
        return self.report + encode_certificate_table(self.certificates)


def parse_snp_evidence(data: bytes) -> SnpEvidence:
    """The evidence in ``data``, told apart by how it begins.

    Raises:
        FormatError: none of the shapes, or malformed for its shape. The report's contents are for
            :func:`eaa.evidence.snp.parse_snp_report`.
        UnsupportedError: JSON of a processor that is not known here.
    """
    if len(data) > MAX_SNP_EVIDENCE_BYTES:
        raise _error("length", f"{len(data)} bytes exceed {MAX_SNP_EVIDENCE_BYTES}", "too_large")
    if data[:4] in _REPORT_STARTS:
        return snp_evidence_of_tsm(data[:SNP_REPORT_BYTES], data[SNP_REPORT_BYTES:])
    if data.lstrip()[:1] == b"{":
        return _of_json(data)
    try:
        return _of_binary(binascii.a2b_base64(b"".join(data.split()), strict_mode=True))
    except binascii.Error:
        raise _error("encoding", "neither a report, JSON nor base64", "bad_value") from None


#: A small version, little-endian. Neither JSON nor base64 begins so; an unknown one is named by the parser.
_REPORT_STARTS = frozenset(bytes((version, 0, 0, 0)) for version in range(256))


def snp_evidence_of_tsm(outblob: bytes, auxblob: bytes = b"") -> SnpEvidence:
    """The evidence in the two files of configfs-tsm. The table may be empty.

    Raises:
        FormatError: the report has another length, or the table is malformed.
    """
    if len(outblob) != SNP_REPORT_BYTES:
        raise _error("report", f"expected {SNP_REPORT_BYTES} bytes, came {len(outblob)}", "truncated")
    return SnpEvidence(outblob, parse_certificate_table(auxblob).entries)


def _of_binary(data: bytes) -> SnpEvidence:
    """As :func:`parse_snp_evidence`, of what was base64, which is not taken off twice."""
    if data.lstrip()[:1] == b"{":
        return _of_json(data)
    return snp_evidence_of_tsm(data[:SNP_REPORT_BYTES], data[SNP_REPORT_BYTES:])


def _of_json(data: bytes) -> SnpEvidence:
    return snp_evidence_of_json(parse_json(data, _WHAT))


def snp_evidence_of_json(value: Any) -> SnpEvidence:
    """The evidence in ``value``, JSON as guest components write it, or with the report in base64.

    Raises:
        FormatError: another shape. The report's contents are for :func:`eaa.evidence.snp.parse_snp_report`.
        UnsupportedError: of a processor that is not known here.
    """
    if not isinstance(value, dict) or "attestation_report" not in value or value.keys() - _MEMBERS:
        raise _error("JSON", "expected attestation_report and cert_chain, and nothing else", "bad_value")
    report, chain = value["attestation_report"], certificates_of_json(value.get("cert_chain"))
    if isinstance(report, str):
        return SnpEvidence(decode_base64(report, _WHAT, "attestation_report", length=SNP_REPORT_BYTES), chain)
    return SnpEvidence(report_of_json(report), chain)


def _error(name: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=name, detail=detail)
