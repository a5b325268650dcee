"""SNP evidence as guest components v0.14 and later write it, the inverse of :mod:`eaa.evidence.snp_json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_certificates import TableEntry, TableName
from eaa.evidence.snp_json_members import FIELDS, TCBS

__all__ = ["snp_evidence_document"]


def snp_evidence_document(report: SnpReport, certificates: Iterable[TableEntry]) -> dict[str, Any]:
    """``{"attestation_report": {…}, "cert_chain": [{"cert_type", "data"}] | null}``, for JSON.

    Bytes are arrays of numbers; what a version of the report does not have is null.
    """
    chain = [{"cert_type": _cert_type(entry), "data": list(entry.data)} for entry in certificates]
    return {"attestation_report": _members(report), "cert_chain": chain or None}


def _members(report: SnpReport) -> dict[str, Any]:
    body = report.body
    has_cpuid, has_vectors = body.version > 2, body.version > 4
    return {
        **{name: _plain(getattr(body, field)) for name, field in FIELDS.items()},
        "key_info": body.key_info,
        "cpuid_fam_id": body.cpuid_family if has_cpuid else None,
        "cpuid_mod_id": body.cpuid_model if has_cpuid else None,
        "cpuid_step": body.cpuid_stepping if has_cpuid else None,
        "launch_mit_vector": body.launch_mit_vector if has_vectors else None,
        "current_mit_vector": body.current_mit_vector if has_vectors else None,
        **{name: getattr(report, name).members() for name in TCBS},
        "current": _version(report.current_version),
        "committed": _version(report.committed_version),
        "signature": {"r": list(body.signature_r), "s": list(body.signature_s)},
    }


def _plain(value: bytes | int) -> list[int] | int:
    return list(value) if isinstance(value, bytes) else value


def _version(version: tuple[int, int, int]) -> dict[str, int]:
    major, minor, build = version
    return {"major": major, "minor": minor, "build": build}


def _cert_type(entry: TableEntry) -> str | dict[str, str]:
    if entry.name is not TableName.OTHER:
        return str(entry.name)
    text = entry.guid.hex()
    return {"OTHER": "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))}
