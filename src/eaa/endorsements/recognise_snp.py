"""SNP evidence told apart from other binary and JSON: with :mod:`eaa.endorsements.recognise`."""

from __future__ import annotations

from collections.abc import Mapping

from eaa.evidence.snp import SNP_REPORT_BYTES
from eaa.evidence.snp_certificates import GUIDS
from eaa.evidence.snp_evidence import parse_snp_evidence

__all__ = ["begins_as_snp", "is_snp_report", "snp_of_json"]

#: How a certificate table begins: with an entry of a known kind, or with its end.
_TABLE_STARTS = frozenset((*GUIDS.values(), bytes(16)))
_MEMBERS = {"attestation_report", "cert_chain"}
#: A report in base64 between quotation marks.
_TEXT_BYTES = 4 * -(-SNP_REPORT_BYTES // 3) + 2


def is_snp_report(data: bytes) -> bool:
    """Whether ``data`` is as long as a report and begins with a small version, or a table follows it."""
    if len(data) < SNP_REPORT_BYTES or not begins_as_snp(data):
        return False
    after = data[SNP_REPORT_BYTES : SNP_REPORT_BYTES + 16]
    return not after or after in _TABLE_STARTS


def begins_as_snp(data: bytes) -> bool:
    """Whether ``data`` begins with a small version, in four bytes: a DCAP quote has two of them."""
    return data[:1] != b"\x00" and data[1:4] == bytes(3)


def snp_of_json(text: bytes, members: Mapping[str, bytes]) -> bytes | None:
    """Report and certificate table of guest components' evidence; ``None`` if ``text`` is something else.

    Raises:
        FormatError, UnsupportedError: as :func:`parse_snp_evidence`.
    """
    report = members.get("attestation_report", b"")
    is_object = report[:1] == b"{" and b'"chip_id"' in report
    is_chain = members.get("cert_chain", b"null")[:1] in (b"n", b"[")
    if members.keys() <= _MEMBERS and is_chain and (is_object or len(report) == _TEXT_BYTES):
        return parse_snp_evidence(text).encode()
    return None
