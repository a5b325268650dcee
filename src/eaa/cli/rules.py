"""What was compared, as rules: claim, expected, came, verdict; of bindings, event log and appraisal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from eaa.appraisal.result import AttestationResult
from eaa.cli.evidence import event_log_bytes
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import parse_event_log
from eaa.evidence.event_replay import RtmrComparison, compare_with_rtmrs
from eaa.verify.primitives import equal
from eaa.verify.result import Binding

__all__ = ["FAIL", "PASS", "appraisal_rules", "binding_rules", "event_log_rules", "rule"]

PASS, FAIL = "pass", "fail"


def appraisal_rules(result: AttestationResult) -> list[dict[str, Any]]:
    return [asdict(item) for item in result.rules]


def binding_rules(binding: Binding, says: Mapping[str, tuple[str, bytes]]) -> list[dict[str, Any]]:
    """One rule for each binding that the caller asked for, with what the evidence ``says``."""
    asked = (("report_data", binding.report_data), ("config_id", binding.config_id))
    return [
        _compared(f"binding.{name}", says[name][0], expected, says[name][1])
        for name, expected in asked
        if expected is not None
    ]


def event_log_rules(
    log: bytes | None, rt_mrs: tuple[bytes, bytes, bytes, bytes] | None, tee: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rules and the reasons against; both empty without a log.

    Raises:
        FormatError: the log is malformed or has no bank of the registers' hash.
    """
    if log is None:
        return [], []
    if rt_mrs is None:
        message = f"{_WITHOUT_RTMRS[tee]} has no RTMRs that the event log could be compared with"
        return [rule("event_log", "rt_mr0", None, None, FAIL, message)], [message]
    parsed = parse_event_log(event_log_bytes(log))
    if tee == "csv":
        comparisons = compare_with_rtmrs(parsed, rt_mrs, algorithm=HashAlgorithm.SM3_256, first=1)
    else:
        comparisons = compare_with_rtmrs(parsed, rt_mrs)
    claim = "rtmr" if tee == "csv" else "rt_mr"
    rules = [_replayed(item, claim) for item in comparisons]
    return rules, [rule["message"] for rule in rules if rule["verdict"] == FAIL]


_WITHOUT_RTMRS = {
    "sgx": "an SGX quote", "snp": "an SNP report", "sev": "an SEV report",
    "csv": "a CSV report of version 1",
}  # fmt: skip


def _replayed(item: RtmrComparison, claim: str) -> dict[str, Any]:
    name = f"event_log.rtmr{item.rtmr}"
    message = f"RTMR{item.rtmr} is the replay of {len(item.events)} events"
    if item.parting is not None:
        message = f"RTMR{item.rtmr} is not the replay of the event log: {item.parting.describe()}"
    return rule(
        name, f"{claim}{item.rtmr}", item.replayed.hex(), item.quoted.hex(),
        PASS if item.matches else FAIL, message,
    )  # fmt: skip


def _compared(name: str, claim: str, expected: bytes, came: bytes) -> dict[str, Any]:
    same = equal(expected, came)
    message = f"{claim} is the expected one" if same else f"{claim} is not the expected one"
    return rule(name, claim, expected.hex(), came.hex(), PASS if same else FAIL, message)


def rule(name: str, claim: str, expected: Any, came: Any, verdict: str, message: str) -> dict[str, Any]:
    """One rule as it is shown and written."""
    return {
        "rule": name,
        "claim": claim,
        "expected": expected,
        "came": came,
        "verdict": verdict,
        "message": message,
    }
