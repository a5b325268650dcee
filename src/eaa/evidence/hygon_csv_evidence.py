"""CSV evidence in the shapes that people and programs hand it over, taken out of them.

====================== ==========================================================================
raw                    the report: a page of 4096 bytes, or without the zeros at its end
with its chip          the page, a length in 4 bytes, then the certificates of HSK and CEK [LIBRATS csv]
JSON                   as guest components write it [COCO-GUEST attester/csv]
base64                 any of these
====================== ==========================================================================
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.errors import FormatError
from eaa.evidence.hygon_csv import CSV_PAGE_BYTES, CSV_REPORT_BYTES, CsvReport, parse_csv_report
from eaa.evidence.hygon_csv_json import (
    HYGON_CA_BYTES,
    MEMBERS,
    ca_certificate_of_json,
    certificate_of_json,
)
from eaa.evidence.psp_certificate import PSP_CERTIFICATE_BYTES

__all__ = ["HSK_CEK_BYTES", "MAX_CSV_EVIDENCE_BYTES", "CsvEvidence", "parse_csv_evidence"]

#: What Hygon's service returns for a chip: HSK, then CEK.
HSK_CEK_BYTES = HYGON_CA_BYTES + PSP_CERTIFICATE_BYTES
#: An event log of 64 KiB in base64, and JSON whose arrays take at most four characters for each byte.
MAX_CSV_EVIDENCE_BYTES = 256 * 1024
_WITH_CHIP_BYTES = CSV_PAGE_BYTES + 4 + HSK_CEK_BYTES
_WHAT = "CSV evidence"
_EXTENDED = b"ATTESTATION_EXT\x00"
_RAW_BYTES = (*CSV_REPORT_BYTES.values(), CSV_PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class CsvEvidence:
    """A report with what came with it: HSK and CEK certificates, an event log."""

    report: CsvReport
    hsk: bytes | None = field(default=None, repr=False)
    cek: bytes | None = field(default=None, repr=False)
    event_log: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The form with the chip's certificates if both are there, else the report."""
        if self.hsk is None or self.cek is None:
            return self.report.raw
        page = self.report.raw.ljust(CSV_PAGE_BYTES, b"\x00")
        return page + HSK_CEK_BYTES.to_bytes(4, "little") + self.hsk + self.cek


def parse_csv_evidence(data: bytes) -> CsvEvidence:
    """The evidence in ``data``, told apart by its length and how it begins.

    A report in JSON is taken as restored, any other as the firmware made it.

    Raises:
        FormatError: none of the shapes, or malformed for its shape. Certificates are for the parsers of
            endorsements.
    """
    if len(data) > MAX_CSV_EVIDENCE_BYTES:
        raise _error("length", f"{len(data)} bytes exceed {MAX_CSV_EVIDENCE_BYTES}", "too_large")
    found = _of_binary(data)
    if found is not None:
        return found
    try:
        decoded = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except binascii.Error:
        decoded = b""
    found = _of_binary(decoded)
    if found is None:
        raise _error("encoding", "neither a report, JSON nor base64", "bad_value")
    return found


def _of_binary(data: bytes) -> CsvEvidence | None:
    """As :func:`parse_csv_evidence`, without base64, which is not taken off twice."""
    if data.lstrip()[:1] == b"{":
        return _of_json(data)
    if len(data) in _RAW_BYTES:
        return CsvEvidence(parse_csv_report(data, restored=False))
    if len(data) != _WITH_CHIP_BYTES:
        return None
    length = int.from_bytes(data[CSV_PAGE_BYTES : CSV_PAGE_BYTES + 4], "little")
    if length != HSK_CEK_BYTES:
        raise _error("hsk_cek_cert_len", f"expected {HSK_CEK_BYTES}, came {length}", "bad_value")
    chip = data[CSV_PAGE_BYTES + 4 :]
    report = parse_csv_report(data[:CSV_PAGE_BYTES], restored=False)
    return CsvEvidence(report, chip[:HYGON_CA_BYTES], chip[HYGON_CA_BYTES:])


def _of_json(data: bytes) -> CsvEvidence:
    members = MEMBERS.object_of(parse_json(data, _WHAT), "JSON")
    known = {"attestation_report", "cert_chain", "serial_number", "cc_eventlog"}
    MEMBERS.refuse_others(members, known, "JSON")
    wrapper = MEMBERS.object_of(members.get("attestation_report"), "attestation_report")
    MEMBERS.refuse_others(wrapper, {"magic", "flags", "data"}, "attestation_report")
    report = parse_csv_report(
        MEMBERS.octets(wrapper, "data", CSV_PAGE_BYTES), restored=True,
        version=_version(MEMBERS.octets(wrapper, "magic", 16), MEMBERS.number(wrapper, "flags", 4)),
    )  # fmt: skip
    chain = MEMBERS.object_of(members.get("cert_chain"), "cert_chain")
    MEMBERS.refuse_others(chain, {"hsk_cek", "pek"}, "cert_chain")
    if certificate_of_json(chain.get("pek"), "pek") != report.pek_cert:
        raise MEMBERS.bad_member("pek", "is not the certificate in the report")
    if MEMBERS.octets(members, "serial_number", None).rstrip(b"\x00") != report.serial_number.encode():
        raise MEMBERS.bad_member("serial_number", "is not the one in the report")
    hsk = cek = None
    if chain.get("hsk_cek") is not None:
        pair = MEMBERS.object_of(chain["hsk_cek"], "hsk_cek")
        MEMBERS.refuse_others(pair, {"hsk", "cek"}, "hsk_cek")
        hsk = ca_certificate_of_json(pair.get("hsk"), "hsk")
        cek = certificate_of_json(pair.get("cek"), "cek")
    log = members.get("cc_eventlog")
    if not isinstance(log, str | None):
        raise MEMBERS.bad_member("cc_eventlog", "expected base64")
    event_log = None if log is None else decode_base64(log, _WHAT, "cc_eventlog")
    return CsvEvidence(report, hsk, cek, event_log)


def _version(magic: bytes, flags: int) -> int:
    if not any(magic) or (magic, flags) == (_EXTENDED, 0):
        return 1
    if (magic, flags) == (_EXTENDED, 1):
        return 2
    raise MEMBERS.bad_member("magic", "neither of a report of version 1 nor of 2")


def _error(name: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=name, detail=detail)
