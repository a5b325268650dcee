"""What ``make demo`` judges: evidence of a simulated guest and a simulated enclave, good and not good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.attester.simulated import (
    SimulatedPlatform,
    SimulatedSgxEnclave,
    SimulatedTdxGuest,
    SimulatedVendor,
)
from eaa.cli.console import as_json
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate
from eaa.errors import EAAError, outcome_of
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding

__all__ = ["ACCEPTED", "Case", "Shown", "judge", "simulated_cases"]

Attester = SimulatedTdxGuest | SimulatedSgxEnclave

ACCEPTED = "accepted"
_NAMES = {"tdx": "TDX guest", "sgx": "SGX enclave"}
#: What the demo's owner accepts: fields of the report that must be as they were made.
_REFERENCE_FIELDS = {"tdx": ("mr_td", "rt_mr1", "rt_mr2"), "sgx": ("mr_enclave",)}
#: Where the first of them is in a quote of version 3 or 4: header of 48 bytes, then the report.
_MEASUREMENT = {"tdx": 48 + 136, "sgx": 48 + 64}


@dataclass(frozen=True, slots=True)
class Case:
    """Evidence, how it is judged, and the code that must come of it.

    ``report_data`` is 64 bytes, or ``None``: not compared.
    """

    attester: str
    title: str
    expected: str
    quote: bytes
    collateral: IntelCollateral
    trust_anchors: tuple[Certificate, ...]
    report_data: bytes | None
    policy: Policy
    now: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A verdict with its code and reason. ``verdict`` is the word that ``shelter verify`` has for it."""

    verdict: str
    code: str
    reason: str


def judge(case: Case) -> Shown:
    """``case`` verified and appraised, by the code that judges real evidence."""
    try:
        verified = verify_quote(
            case.quote,
            collateral=case.collateral,
            trust_anchors=case.trust_anchors,
            binding=Binding(case.report_data),
            now=case.now,
            memo=Memo(1),
        )
        result = require(appraise(verified, case.policy, now=case.now))
    except EAAError as error:
        return Shown(outcome_of(error).verdict, error.code, str(error))
    passed = sum(rule.verdict == "pass" for rule in result.rules)
    reasons = (f"the TCB is {verified.tcb.status}, {passed} rules hold", *result.reasons)
    return Shown(ACCEPTED, result.code, "; ".join(reasons))


def simulated_cases(vendor: SimulatedVendor, report_data: bytes) -> Iterator[Case]:
    """For both TEEs one good, one out of date, one debug, one tampered, and one judged by Intel's roots."""
    for tee in _NAMES:
        platform = SimulatedPlatform(vendor, name=f"{tee} machine")
        good = _case(_attester(tee, platform), report_data)
        yield good
        old = _case(_attester(tee, _old_platform(vendor, tee)), report_data)
        yield replace(old, title="out of date", expected="appraisal.tcb_status")
        debug = _case(_attester(tee, platform, debug=True), report_data)
        yield replace(debug, title="debug", expected="appraisal.debug")
        yield replace(
            good, title="tampered", quote=_one_bit_flipped(good.quote, tee), expected="signature.quote"
        )
        yield replace(
            good, title="Intel's roots", trust_anchors=INTEL_SGX_ROOTS, expected="chain.untrusted_root"
        )


def _case(attester: Attester, report_data: bytes) -> Case:
    return Case(
        attester=_NAMES[attester.tee],
        title="good",
        expected=ACCEPTED,
        quote=attester.collect(report_data),
        collateral=attester.endorsements(),
        trust_anchors=(attester.trust_anchor,),
        report_data=report_data,
        policy=_policy(attester),
        now=attester.platform.vendor.now,
    )


def _attester(tee: str, platform: SimulatedPlatform, *, debug: bool = False) -> Attester:
    if tee == "tdx":
        return SimulatedTdxGuest(platform, debug=debug)
    return SimulatedSgxEnclave(platform, debug=debug)


def _old_platform(vendor: SimulatedVendor, tee: str) -> SimulatedPlatform:
    platform = SimulatedPlatform(vendor, name=f"old {tee} machine")
    platform.use_level(platform.tcb_info["sgx"].levels[1])
    return platform


def _policy(attester: Attester) -> Policy:
    pins = {name: getattr(attester.report, name).hex() for name in _REFERENCE_FIELDS[attester.tee]}
    document = as_json({"version": 1, attester.tee: [pins]})
    return Policy(reference_values=parse_reference_values(document.encode()))


def _one_bit_flipped(quote: bytes, tee: str) -> bytes:
    flipped = bytearray(quote)
    flipped[_MEASUREMENT[tee]] ^= 1
    return bytes(flipped)
