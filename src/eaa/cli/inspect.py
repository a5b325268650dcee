"""``shelter inspect``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import click

from eaa.cli.console import EXIT_CODES, as_json, clean, debug_option, emit, outline, output_option
from eaa.cli.describe_certificate import describe_certificate, describe_certificates, describe_crl
from eaa.cli.describe_document import describe_endorsements, describe_identity, describe_tcb_info
from eaa.cli.describe_event_log import describe_event_log
from eaa.cli.describe_psp import (
    describe_csv_report,
    describe_hygon_certificates,
    describe_sev_certificates,
    describe_sev_report,
)
from eaa.cli.describe_quote import describe_enclave_report, describe_quote, describe_td_report
from eaa.cli.describe_snp import describe_snp_report, describe_table
from eaa.cli.files import load_input
from eaa.endorsements.evidence_kinds import KIND_NAMES
from eaa.endorsements.recognise import Kind, Recognised, recognise
from eaa.errors import UnsupportedError

__all__ = ["inspect"]

_DESCRIBE: Mapping[Kind, Callable[[bytes], dict[str, Any]]] = MappingProxyType(
    {
        Kind.DCAP_QUOTE: describe_quote,
        Kind.ENCLAVE_REPORT: describe_enclave_report,
        Kind.TD_REPORT: describe_td_report,
        Kind.SNP_REPORT: describe_snp_report,
        Kind.SEV_REPORT: describe_sev_report,
        Kind.CSV_REPORT: describe_csv_report,
        Kind.EVENT_LOG: describe_event_log,
        Kind.PCK_CERTIFICATE: describe_certificate,
        Kind.VEK_CERTIFICATE: describe_certificate,
        Kind.CERTIFICATE: describe_certificate,
        Kind.CERTIFICATE_CHAIN: describe_certificates,
        Kind.CERTIFICATE_TABLE: describe_table,
        Kind.SEV_CERTIFICATES: describe_sev_certificates,
        Kind.HYGON_CERTIFICATES: describe_hygon_certificates,
        Kind.REVOCATION_LIST: describe_crl,
        Kind.TCB_INFO: describe_tcb_info,
        Kind.ENCLAVE_IDENTITY: describe_identity,
        Kind.COLLATERAL: describe_endorsements,
    }
)


@click.command(epilog=EXIT_CODES)
@click.argument("file", metavar="FILE|-")
@output_option
@debug_option
def inspect(file: str, output: str) -> None:
    """Show what is in FILE (- for stdin), every field by its name. Nothing is verified.

    FILE holds a quote, report body, or report of SEV-SNP, SEV or CSV, a PCK, VEK or other certificate, a
    certificate chain or table, AMD's or Hygon's certificates in their own formats, a revocation list, a TCB
    info, an enclave identity, collateral, or an event log; binary, hexadecimal, base64, PEM, a stored HTTP
    response, or inside JSON.

    \b
    Examples:
      shelter inspect quote.bin
      shelter inspect /sys/firmware/acpi/tables/data/CCEL
      curl -s "$PCCS/sgx/certification/v4/tcb?fmspc=00906ed50000" | shelter inspect -
      shelter inspect quote.hex -o json | jq -r .content.body.mr_td
    """
    described = _describe(recognise(load_input(file)))
    emit(as_json(described) if output == "json" else "\n".join(_lines(described)))


def _describe(found: Recognised) -> dict[str, Any]:
    name = KIND_NAMES[found.kind]
    describe = _DESCRIBE.get(found.kind)
    if describe is None:
        raise UnsupportedError(f"{name}: recognised; its fields are not decoded here", detail="kind")
    return {
        "kind": str(found.kind),
        "name": name,
        "wrappings": list(found.wrappings),
        "bytes": len(found.data),
        "verified": False,
        "content": describe(found.data),
        "beside": [_describe(item) for item in found.beside if item.kind in _DESCRIBE],
    }


def _lines(described: Mapping[str, Any]) -> list[str]:
    wrappings = " > ".join(described["wrappings"])
    unwrapped = f", unwrapped from {clean(wrappings)}" if wrappings else ""
    lines = [
        f"{described['name']}, {described['bytes']} bytes{unwrapped}",
        "Nothing was verified: this is what it says of itself.",
        "",
        *outline(described["content"]),
    ]
    for item in described["beside"]:
        lines += ["", "Beside it:", *_lines(item)]
    return lines
