"""SEV and CSV evidence, and certificates for it, told apart: with :mod:`eaa.endorsements.recognise`.

Neither has a magic number. A report is known by its length and by the usage of the key that signed it.
"""

from __future__ import annotations

from collections.abc import Mapping

from eaa.endorsements.hygon_endorsements import read_hygon_parts
from eaa.endorsements.sev_endorsements import read_sev_parts
from eaa.errors import FormatError
from eaa.evidence.hygon_csv import CSV_PAGE_BYTES, CSV_REPORT_BYTES
from eaa.evidence.hygon_csv_evidence import HSK_CEK_BYTES
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.sev import SEV_REPORT_BYTES
from eaa.evidence.sev_evidence import SEV_EVIDENCE_BYTES

__all__ = ["are_hygon_certificates", "are_sev_certificates", "is_csv_json", "is_csv_report", "is_sev_report"]

_SEV_BYTES = frozenset({SEV_REPORT_BYTES, SEV_EVIDENCE_BYTES})
_CSV_BYTES = frozenset({*CSV_REPORT_BYTES.values(), CSV_PAGE_BYTES, CSV_PAGE_BYTES + 4 + HSK_CEK_BYTES})


def is_sev_report(data: bytes) -> bool:
    """Whether ``data`` is as long as SEV evidence, and a PEK signed it."""
    return len(data) in _SEV_BYTES and _u32(data, 0x34) == KeyUsage.PEK


def is_csv_report(data: bytes) -> bool:
    """Whether ``data`` is as long as CSV evidence, and a PEK signed it, with or without the mask."""
    usage = _u32(data, 0xB4)
    return len(data) in _CSV_BYTES and KeyUsage.PEK in (usage, usage ^ _u32(data, 0xBC))


def is_csv_json(members: Mapping[str, bytes]) -> bool:
    """Whether these are the members of guest components' CSV evidence."""
    return {"attestation_report", "cert_chain", "serial_number"} <= members.keys()


def are_sev_certificates(data: bytes) -> bool:
    """Whether ``data`` is one or several certificates in SEV's format, and nothing else."""
    try:
        read_sev_parts(data)
    except FormatError:
        return False
    return True


def are_hygon_certificates(data: bytes) -> bool:
    """Whether ``data`` is one or several of Hygon's certificates, and nothing else."""
    try:
        read_hygon_parts(data)
    except FormatError:
        return False
    return True


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "little")
