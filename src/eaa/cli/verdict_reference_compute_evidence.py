"""``verdict reference compute evidence``."""

from __future__ import annotations

from typing import Any

import click

from eaa.cli.files import load_input
from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.codec.strict_json import parse_json
from eaa.codec.text import decode_base64
from eaa.endorsements.evidence_kinds import KIND_NAMES, recognise_evidence
from eaa.endorsements.recognise import Kind
from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.tdx import TdReport

__all__ = ["evidence"]

_WHAT = "evidence"
_UNVERIFIED = "taken as it is: nobody has verified that the evidence is genuine; shelter verify does that"


@click.command()
@click.argument("file", metavar="FILE|-")
@computing
def evidence(file: str) -> Computed:
    """Measurements from FILE, the evidence of a guest or an enclave of yours that runs what you expect.

    FILE is a quote, a report of SEV-SNP, or what attestation-agent evidence writes. Of an SNP guest the
    versions of the TCB that it reports are expected too.
    """
    found = recognise_evidence(_quote(load_input(file)))
    if found.kind is Kind.SNP_REPORT:
        return Computed(_of_snp(found.data), (_UNVERIFIED,))
    if found.kind is not Kind.DCAP_QUOTE:
        raise UnsupportedError(
            f"{KIND_NAMES[found.kind]}: expected a quote, or a report of SEV-SNP", detail="kind"
        )
    report = parse_quote(found.data).body
    values: dict[str, Any] = (
        {
            "mr_td": [report.mr_td.hex()],
            "rtmr_1": [report.rt_mr1.hex()],
            "rtmr_2": [report.rt_mr2.hex()],
            "xfam": [report.xfam.hex()],
        }
        if isinstance(report, TdReport)
        else {"sgx_mr_enclave": [report.mr_enclave.hex()]}
    )
    return Computed(values, (_UNVERIFIED,))


def _of_snp(data: bytes) -> dict[str, Any]:
    report = parse_snp_report(parse_snp_evidence(data).report)
    tcb = report.reported_tcb
    return {
        "snp_launch_measurement": [report.body.measurement.hex()],
        "snp_bootloader": [tcb.bootloader],
        "snp_tee_svn": [tcb.tee],
        "snp_snp_svn": [tcb.snp],
        "snp_microcode": [tcb.microcode],
    }


def _quote(data: bytes) -> bytes:
    """The quote in the agent's JSON; anything else as it is."""
    if not data.lstrip().startswith(b"{"):
        return data
    document = parse_json(data, _WHAT)
    if not isinstance(document, dict) or "quote" not in document:
        return data
    if not isinstance(document["quote"], str):
        raise FormatError("expected a quote in base64", what=_WHAT, field="quote")
    return decode_base64(document["quote"], _WHAT, "quote")
