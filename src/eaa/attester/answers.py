"""What devices answered, looked at before it is sent: is it of the right kind, and ours?

This proves nothing to anybody; it names the device that misbehaves here, not at the other end.
"""

from __future__ import annotations

from eaa.attester.device import fixed
from eaa.endorsements.amd_attached import endorsements_of_table
from eaa.errors import AttesterError, FormatError, UnsupportedError
from eaa.evidence.dcap_quote import HEADER_BYTES, parse_quote_frame
from eaa.evidence.snp import SNP_REPORT_BYTES, parse_snp_report
from eaa.evidence.snp_certificates import parse_certificate_table
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["attached_report", "own_quote", "snp_report", "tdx_report", "without_padding"]

_SNP_REPORT_DATA = 0x50
TDX_REPORT_BYTES = 1024
_TDX_REPORT_DATA = 128  # REPORTMACSTRUCT.REPORTDATA [TDX-ABI REPORTMACSTRUCT]


def own_quote(data: bytes, *, tee: str, report_data: bytes, device: str) -> bytes:
    """The quote in ``data`` without the zero bytes that some quoting services append.

    Raises:
        AttesterError: no quote, of another TEE, or with other report data than asked for (``busy``).
    """
    data = without_padding(data)
    try:
        quote = parse_quote_frame(data)
    except (FormatError, UnsupportedError) as error:
        raise AttesterError(
            f"{device}: the answer is no quote that is known here: {error}", detail="answer", device=device
        ) from None
    if quote.tee != tee:
        raise AttesterError(
            f"{device}: a quote of {tee.upper()} was expected, one of {quote.tee.upper()} came",
            detail="answer", device=device,
        )  # fmt: skip
    _require_own(quote.body.report_data, report_data, device)
    return data


def snp_report(data: bytes, *, report_data: bytes, device: str) -> bytes:
    """An SEV-SNP attestation report, 1184 bytes [SNP-ABI 7.3].

    Raises:
        AttesterError: another length, or other report data than asked for (``busy``).
    """
    fixed(data, SNP_REPORT_BYTES, "an SEV-SNP report", device)
    _require_own(data[_SNP_REPORT_DATA : _SNP_REPORT_DATA + 64], report_data, device)
    return data


def attached_report(report: bytes, table: bytes, *, device: str) -> AttachedEvidence:
    """``report`` with the endorsements in ``table``, the host's certificates; without, if it has no VEK.

    Raises:
        AttesterError: the report is of a form that is not known here, or the table is malformed.
    """
    try:
        endorsements = None
        if table:
            entries = parse_certificate_table(table).entries
            endorsements = endorsements_of_table(parse_snp_report(report), entries)
    except (FormatError, UnsupportedError) as error:
        raise AttesterError(
            f"{device}: report and certificate table do not fit together: {error}",
            detail="answer",
            device=device,
        ) from None
    return AttachedEvidence(EvidenceKind.SNP_REPORT, report, endorsements)


def tdx_report(data: bytes, *, report_data: bytes, device: str) -> bytes:
    """A TDREPORT_STRUCT, 1024 bytes.

    Raises:
        AttesterError: another length, or other report data than asked for (``busy``).
    """
    fixed(data, TDX_REPORT_BYTES, "a TDREPORT", device)
    _require_own(data[_TDX_REPORT_DATA : _TDX_REPORT_DATA + 64], report_data, device)
    return data


def without_padding(data: bytes) -> bytes:
    """``data`` up to where the quote's own length ends, if only zero bytes follow; else as it is."""
    sized = data[:2] == b"\x05\x00"
    body = int.from_bytes(data[50:54], "little") + 6 if sized else 384 if data[4:8] == bytes(4) else 584
    start = HEADER_BYTES + body + 4
    end = start + int.from_bytes(data[start - 4 : start], "little")
    return data if any(data[end:]) else data[:end]


def _require_own(came: bytes, expected: bytes, device: str) -> None:
    if came != expected:
        raise AttesterError(
            f"{device}: the evidence carries other report data than asked for: another caller wrote "
            "between; try again",
            detail="busy", device=device,
        )  # fmt: skip
