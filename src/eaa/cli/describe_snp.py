"""SNP reports, certificate tables and VEK certificates as plain values, for ``shelter inspect``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from eaa.cli.describe_certificate import describe_chain, describe_crl
from eaa.endorsements.amd_endorsements import read_amd_parts
from eaa.errors import EAAError
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_certificates import TableEntry, TableName, parse_certificate_table
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.verify.snp_result import snp_report_claims

__all__ = ["describe_snp_report", "describe_table"]


def describe_snp_report(data: bytes) -> dict[str, Any]:
    """The fields of a report, its signature, and the certificates that came with it."""
    evidence = parse_snp_evidence(data)
    report = parse_snp_report(evidence.report)
    return {
        "tee": "snp",
        "product": str(report.product) if report.product else None,
        "body": snp_report_claims(report),
        "signature": {"r": report.body.signature_r.hex(), "s": report.body.signature_s.hex()},
        "certificates": _entries(evidence.certificates),
        "sha256": hashlib.sha256(evidence.report).hexdigest(),
    }


def describe_table(data: bytes) -> dict[str, Any]:
    """The certificate table that a host hands over with a report."""
    return {"entries": _entries(parse_certificate_table(data).entries)}


def _entries(entries: Iterable[TableEntry]) -> list[dict[str, Any]]:
    return [
        {"name": str(item.name), "guid": item.guid.hex(), "bytes": len(item.data), **_held(item)}
        for item in entries
    ]


def _held(entry: TableEntry) -> dict[str, Any]:
    """What the entry holds; one that is malformed, or of an unknown kind, does not hide the others."""
    if not entry.data or entry.name is TableName.OTHER:
        return {}
    try:
        parts = read_amd_parts(entry.data)
        held = {"certificates": describe_chain(parts.certificates), "crls": [*map(describe_crl, parts.crls)]}
    except EAAError as error:
        return {"malformed": str(error)}
    return {name: value for name, value in held.items() if value}
