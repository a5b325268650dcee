"""``verdict reference compute event-log``."""

from __future__ import annotations

from typing import Any

import click

from eaa.cli.files import load_input
from eaa.cli.verdict_reference_compute_output import Computed, computing
from eaa.endorsements.evidence_kinds import recognise_evidence
from eaa.errors import UnsupportedError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.event_log import parse_event_log
from eaa.evidence.measured_td_log import GoldenLog, read_golden_log, require_quoted
from eaa.evidence.tdx import TdReport

__all__ = ["event_log"]

_UNQUOTED = "without --quote the log is only well-formed: anybody can have written it"
_UNVERIFIED = "the quote was compared with the log, and its signature not verified: shelter verify does that"


@click.command("event-log")
@click.argument("file", metavar="FILE|-")
@click.option("--quote", metavar="FILE", help="A quote of the boot that the log is of.")
@computing
def event_log(file: str, quote: str | None) -> Computed:
    """Registers of a TD from FILE, the event log (CCEL) of one that booted as it should.

    With --quote they must be those of the quote, which also says MRTD and XFAM.
    """
    log = parse_event_log(load_input(file))
    values = _values(read_golden_log(log))
    if quote is None:
        return Computed(values, (_UNQUOTED,))
    report = parse_quote(recognise_evidence(load_input(quote)).data).body
    if not isinstance(report, TdReport):
        raise UnsupportedError("the quote is an enclave's, expected a trust domain's", detail="kind")
    require_quoted(log, report.rt_mrs)
    return Computed({"mr_td": [report.mr_td.hex()], "xfam": [report.xfam.hex()], **values}, (_UNVERIFIED,))


def _values(golden: GoldenLog) -> dict[str, Any]:
    values: dict[str, Any] = {f"rtmr_{number}": [value.hex()] for number, value in golden.rtmrs.items()}
    if golden.kernel is not None:
        values["tdvfkernel"] = golden.kernel.hex()
    if golden.load_options is not None:
        values["tdvfkernelparams"] = golden.load_options.hex()
    return values
