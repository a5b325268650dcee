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
from eaa.evidence.tdx import TdReport

__all__ = ["evidence"]

_WHAT = "evidence"
_UNVERIFIED = "taken as it is: nobody has verified that the evidence is genuine; shelter verify does that"


@click.command()
@click.argument("file", metavar="FILE|-")
@computing
def evidence(file: str) -> Computed:
    """Measurements from FILE, the evidence of a TD or an enclave of yours that runs what you expect.

    FILE is a quote, or what attestation-agent evidence writes.
    """
    found = recognise_evidence(_quote(load_input(file)))
    if found.kind is not Kind.DCAP_QUOTE:
        raise UnsupportedError(
            f"{KIND_NAMES[found.kind]}: expected a quote of an enclave or a trust domain", detail="kind"
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


def _quote(data: bytes) -> bytes:
    """The quote itself, or that in the agent's JSON."""
    if not data.lstrip().startswith(b"{"):
        return data
    document = parse_json(data, _WHAT)
    if not isinstance(document, dict) or not isinstance(document.get("quote"), str):
        raise FormatError("expected a quote, or JSON with the member quote", what=_WHAT, field="quote")
    return decode_base64(document["quote"], _WHAT, "quote")
