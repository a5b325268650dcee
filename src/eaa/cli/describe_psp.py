"""SEV and CSV reports, and the vendors' certificates for them, as plain values, for ``shelter inspect``."""

from __future__ import annotations

import hashlib
from typing import Any

from eaa.endorsements.hygon_certificate import parse_hygon_ca, parse_hygon_certificate
from eaa.endorsements.hygon_endorsements import read_hygon_parts
from eaa.endorsements.sev_ca import parse_sev_ca
from eaa.endorsements.sev_certificate import parse_sev_certificate
from eaa.endorsements.sev_endorsements import read_sev_parts
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.evidence.psp_certificate import PSP_CERTIFICATE_BYTES, PspCertificate
from eaa.evidence.sev import parse_sev_report
from eaa.evidence.sev_evidence import parse_sev_evidence
from eaa.verify.hygon_csv_result import csv_report_claims
from eaa.verify.sev_result import sev_report_claims

__all__ = [
    "describe_csv_report",
    "describe_hygon_certificates",
    "describe_sev_certificates",
    "describe_sev_report",
]


def describe_sev_report(data: bytes) -> dict[str, Any]:
    """The fields of a report, and the certificates that came with it."""
    evidence = parse_sev_evidence(data)
    given = {"cek": evidence.cek, "pek": evidence.pek, "oca": evidence.oca}
    return {
        "tee": "sev",
        "product": str(evidence.product) if evidence.product else None,
        "body": sev_report_claims(parse_sev_report(evidence.report)),
        "certificates": {name: _sev(raw) for name, raw in given.items() if raw is not None},
        "sha256": hashlib.sha256(evidence.report).hexdigest(),
    }


def describe_csv_report(data: bytes) -> dict[str, Any]:
    """The fields of a report without their masks, and the certificates in it and beside it."""
    evidence = parse_csv_evidence(data)
    given = {"pek": evidence.report.pek_cert, "cek": evidence.cek, "hsk": evidence.hsk}
    return {
        "tee": "csv",
        "body": csv_report_claims(evidence.report),
        "restored": evidence.report.restored,
        "certificates": {name: _hygon(raw) for name, raw in given.items() if raw is not None},
        "event_log_bytes": None if evidence.event_log is None else len(evidence.event_log),
        "sha256": hashlib.sha256(evidence.report.raw).hexdigest(),
    }


def describe_sev_certificates(data: bytes) -> dict[str, Any]:
    """One or several certificates in SEV's format."""
    found = read_sev_parts(data)
    names = ("ark", "ask", "cek", "oca", "pek", "pdh")
    return {name: _sev(raw) for name in names if (raw := getattr(found, name)) is not None}


def describe_hygon_certificates(data: bytes) -> dict[str, Any]:
    """One or several of Hygon's certificates."""
    found = read_hygon_parts(data)
    names = ("hrk", "hsk", "cek")
    return {name: _hygon(raw) for name in names if (raw := getattr(found, name)) is not None}


def _sev(raw: bytes) -> dict[str, Any]:
    if len(raw) == PSP_CERTIFICATE_BYTES:
        certificate = parse_sev_certificate(raw)
        return _platform(certificate.frame) | {"algorithm": certificate.algorithm.name}
    authority = parse_sev_ca(raw)
    return {
        "usage": authority.usage.name,
        "key_id": authority.key_id.hex(),
        "certifying_id": authority.certifying_id.hex(),
        "key_bits": authority.key_bits,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def _hygon(raw: bytes) -> dict[str, Any]:
    if len(raw) == PSP_CERTIFICATE_BYTES:
        certificate = parse_hygon_certificate(raw)
        return _platform(certificate.frame) | {"user_id": certificate.key.user_id.decode("ascii", "replace")}
    authority = parse_hygon_ca(raw)
    return {
        "usage": {"ARK": "HRK", "ASK": "HSK"}[authority.usage.name],
        "key_id": authority.key_id.hex(),
        "certifying_id": authority.certifying_id.hex(),
        "user_id": authority.key.user_id.decode("ascii", "replace"),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def _platform(frame: PspCertificate) -> dict[str, Any]:
    return {
        "usage": frame.usage.name,
        "version": frame.version,
        "api": f"{frame.api_major}.{frame.api_minor}",
        "signed_by": [item.usage.name for item in frame.signatures],
        "pubkey_sha256": hashlib.sha256(frame.pubkey).hexdigest(),
        "sha256": hashlib.sha256(frame.raw).hexdigest(),
    }
