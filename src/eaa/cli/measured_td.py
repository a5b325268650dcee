"""What a quote or a report says of a trust domain or guest, compared with what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eaa.appraisal.reference_values import Pattern, Pin
from eaa.cli.files import load_input
from eaa.cli.measured import Measured
from eaa.cli.rules import FAIL, PASS, rule
from eaa.cli.td_options import TD_FIELDS
from eaa.endorsements.evidence_kinds import KIND_NAMES, recognise_evidence
from eaa.endorsements.recognise import Kind, recognise
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.evidence.dcap_quote import parse_quote
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.snp import SnpReportBody, parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.evidence.tdx import TdReport, parse_td_report

__all__ = ["from_quote", "given_td"]


def given_td(given: Mapping[str, Pattern]) -> Measured:
    """MRTD and further fields that the user wrote."""
    pins = _pins(given, {})
    return Measured("tdx", (given["mr_td"].value,), "given on the command line", pins=pins)


def from_quote(name: str, given: Mapping[str, Pattern], fields: Sequence[str]) -> Measured:
    """The measurements that the quote or TD report in file ``name`` claims. Nothing of it is verified.

    Args:
        given: what the TD report must say, by field; recorded as it was given.
        fields: of :data:`~eaa.cli.td_options.TD_FIELDS`, recorded as the file says them.

    Raises:
        FormatError, UnsupportedError: neither a quote nor such a report.
        UsageError: fields of a TD, and it is not a TD's.
    """
    what, body = _body(name)
    source, notes = f"unverified {what} {name}", [f"the {what} was not verified: anybody can have written it"]
    if isinstance(body, EnclaveReport | SnpReportBody):
        if given or fields:
            named = ", ".join((*given, *fields))
            whose = "SNP guest" if isinstance(body, SnpReportBody) else "SGX enclave"
            raise UsageError(f"{name} is an {whose}'s and has no {named}", detail="tee")
        if isinstance(body, SnpReportBody):
            return Measured("snp", (body.measurement,), source, notes=notes)
        return Measured("sgx", (body.mr_enclave,), source, notes=notes)
    came: dict[str, bytes] = {field: getattr(body, field) for field in ("mr_td", *TD_FIELDS)}
    return Measured(
        "tdx",
        (body.mr_td,),
        source,
        rules=[_rule(field, pattern, came[field]) for field, pattern in given.items()],
        notes=notes,
        pins=_pins(given, {field: came[field] for field in fields}),
    )


def _body(name: str) -> tuple[str, EnclaveReport | TdReport | SnpReportBody]:
    data = load_input(name)
    try:
        found = recognise(data)
    except FormatError:
        found = recognise_evidence(data)  # which says in which field it is no quote
    if found.kind is Kind.SNP_REPORT:
        return "SNP report", parse_snp_report(parse_snp_evidence(found.data).report).body
    if found.kind is Kind.TD_REPORT:
        return "TD report", parse_td_report(found.data)
    if found.kind is Kind.TDREPORT_STRUCT:
        raise UnsupportedError(
            f"{KIND_NAMES[found.kind]}: its fields are not decoded here; give a quote, or a TD report of one",
            detail="kind",
        )
    return "quote", parse_quote(recognise_evidence(data).data).body


def _pins(given: Mapping[str, Pattern], came: Mapping[str, bytes]) -> tuple[Pin, ...]:
    """What is recorded besides MRTD, in the order of reference values."""
    exact = {name: Pattern(value, b"\xff" * len(value)) for name, value in came.items()}
    patterns = exact | dict(given)
    return tuple(Pin(name, (patterns[name],)) for name in TD_FIELDS if name in patterns)


def _rule(name: str, pattern: Pattern, came: bytes) -> dict[str, Any]:
    same = pattern.matches(came)
    message = f"{name} is the one that was given" if same else f"{name} is not the one that was given"
    return rule(f"td_report.{name}", name, str(pattern), came.hex(), PASS if same else FAIL, message)
