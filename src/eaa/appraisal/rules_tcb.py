"""Rules about an Intel platform: its TCB status, the grace period, evaluation data, advisories.

**The grace period.** A part of the platform (its own level, TDX module, quoting enclave) that is out
of date is tolerated while ``now`` is at most ``grace_days`` after the TCB recovery that made it so:
the ``tcbDate`` of the first level above its own that is dated later. Where none is, its own date
counts.

Rejected: the date of the newest level. Each later TCB recovery would start the grace of a platform
anew that has missed all recoveries for years. Also rejected: the ``tcbDate`` of the part's own level,
from which Intel's appraisal engine counts its ``platform_grace_period``. Recoveries are months
apart, so that a platform which was up to date until yesterday would have no grace left.

Grace excuses lateness only: what the status would be without it must be accepted. A platform that is
``OutOfDateConfigurationNeeded`` needs ``ConfigurationNeeded`` among the accepted statuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from eaa.appraisal.finding import Finding, finding, judged
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import Verdict
from eaa.endorsements.tcb import TcbStatus
from eaa.verify.claims import rfc3339
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.tcb import ComponentTcb, TcbEvaluation

__all__ = ["tcb_findings"]

_GENUINE, _KNOWN_VULNERABILITIES, _CONTRAINDICATED = 2, 32, 96  # hardware [AR4SI §2.3.4]

#: What a status would be if nothing were out of date.
_WITHOUT_LATENESS: Mapping[TcbStatus, TcbStatus] = {
    TcbStatus.OUT_OF_DATE: TcbStatus.UP_TO_DATE,
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: TcbStatus.CONFIGURATION_NEEDED,
    TcbStatus.TD_RELAUNCH_ADVISED: TcbStatus.UP_TO_DATE,
    TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED: TcbStatus.CONFIGURATION_NEEDED,
}
#: These say nothing but lateness on top of the platform's own status.
_LATE = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})


def tcb_findings(verified: VerifiedDcapEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes of all rules about the platform, in order."""
    yield _status(verified.tcb, policy, now)
    if policy.min_evaluation_data_number is not None:
        yield _evaluation_data_number(verified.tcb, policy.min_evaluation_data_number)
    if policy.refused_advisories:
        yield _advisories(verified.tcb, policy.refused_advisories)


def _status(tcb: TcbEvaluation, policy: Policy, now: datetime) -> Finding:
    accepted = " or ".join(str(item) for item in TcbStatus if item in policy.accepted_statuses)
    came = str(tcb.status)
    if tcb.status in policy.accepted_statuses:
        verdict: Verdict = "pass"
        message = f"tcb.status is {came}"
    else:
        verdict, remark = _not_accepted(tcb, policy, now)
        message = f"the TCB status is {came}, accepted: {accepted}{remark}"
    return finding(
        "tcb_status", "tcb.status", accepted, came, verdict, message, ("hardware", _hardware(tcb.status))
    )


def _not_accepted(tcb: TcbEvaluation, policy: Policy, now: datetime) -> tuple[Verdict, str]:
    """The verdict on a status that is not accepted as such, and the end of the message."""
    late = [part for part in _parts(tcb) if part.status in _WITHOUT_LATENESS]
    if not policy.grace_days or not late or not _otherwise(tcb) <= policy.accepted_statuses:
        return "fail", ""
    oldest = min(part.superseded_at or part.tcb_date for part in late)
    grace = f"the grace of {policy.grace_days} days after {rfc3339(oldest)}"
    # The difference cannot overflow, a sum could.
    if now - oldest <= timedelta(days=policy.grace_days):
        return "note", f"; tolerated within {grace}"
    return "fail", f"; {grace} is over"


def _parts(tcb: TcbEvaluation) -> list[ComponentTcb]:
    return [part for part in (tcb.platform, tcb.tdx_module, tcb.qe) if part is not None]


def _otherwise(tcb: TcbEvaluation) -> frozenset[TcbStatus]:
    """What must be accepted for lateness to be excused: the status if nothing were out of date.

    That is the platform's own one: a quoting enclave or module that is up to date leaves it as it is.
    A converged status that says more must be accepted too: ``Revoked``, and for a TD that should be
    relaunched that of the SGX level, which shows nowhere else.
    """
    statuses = {_WITHOUT_LATENESS.get(tcb.platform.status, tcb.platform.status)}
    if tcb.status not in _LATE:
        statuses.add(_WITHOUT_LATENESS.get(tcb.status, tcb.status))
    return frozenset(statuses)


def _hardware(status: TcbStatus) -> int:
    if status is TcbStatus.UP_TO_DATE:
        return _GENUINE
    return _CONTRAINDICATED if status is TcbStatus.REVOKED else _KNOWN_VULNERABILITIES


def _evaluation_data_number(tcb: TcbEvaluation, least: int) -> Finding:
    came = tcb.tcb_evaluation_data_number
    return judged(
        came >= least,
        "evaluation_data_number", "tcb.tcb_evaluation_data_number", f"at least {least}", str(came),
        f"the TCB was judged by evaluation data {came}, the policy wants {least} or later",
        "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
    )  # fmt: skip


def _advisories(tcb: TcbEvaluation, refused: frozenset[str]) -> Finding:
    applying = sorted(refused & set(tcb.advisory_ids))
    return judged(
        not applying,
        "advisories", "tcb.advisory_ids", f"none of {', '.join(sorted(refused))}",
        ", ".join(tcb.advisory_ids) or "none",
        f"refused advisories apply to the platform: {', '.join(applying)}",
        "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
    )  # fmt: skip
