"""Rules about an SNP platform: bulletins, minimum TCB, committed firmware, key, chip, revocation.

**The grace period.** A platform that lacks the fixes of a bulletin is tolerated while ``now`` is at most
``grace_days`` after the oldest bulletin that it lacks was published. Only bulletins are excused; a minimum
TCB of the policy is the owner's own word.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from eaa.appraisal.amd_advisories import AmdAdvisory, Cpu, unmet_advisories
from eaa.appraisal.finding import Finding, finding, judged
from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.result import Verdict
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_bits import SigningKey
from eaa.verify.claims import rfc3339
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["lacking_advisories", "snp_tcb_findings"]

_GENUINE, _KNOWN_VULNERABILITIES = 2, 32  # hardware [AR4SI §2.3.4]


def snp_tcb_findings(verified: VerifiedSnpEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes of all rules about the platform, in order."""
    yield _advisories(verified, policy, now)
    yield from _minimum_tcb(verified, policy.snp)
    yield _provisional(verified.report, policy.snp)
    if policy.snp.require_vcek:
        yield _signing_key(verified)
    if verified.vek.kind is SigningKey.VCEK:
        yield _chip_id(verified, policy.snp)
    if not verified.revocation_checked:
        yield finding(
            "revocation", "revocation_checked", "true", "false", "note",
            "there was no revocation list: whether AMD revoked a key is unknown",
        )  # fmt: skip


def lacking_advisories(verified: VerifiedSnpEvidence, now: datetime) -> tuple[AmdAdvisory, ...]:
    """The bulletins known here, published by ``now``, whose fixes the reported TCB lacks; oldest first."""
    report = verified.report
    unmet = unmet_advisories(verified.vek.product, _cpu(report), report.reported_tcb)
    return tuple([item for item in unmet if item.published <= now])


def _advisories(verified: VerifiedSnpEvidence, policy: Policy, now: datetime) -> Finding:
    lacking = lacking_advisories(verified, now)
    refused = [item for item in lacking if item.id not in policy.snp.accepted_advisories]
    came = ", ".join(item.id for item in lacking) or "none"
    expected = "none" + "".join(f" or {item}" for item in sorted(policy.snp.accepted_advisories))
    if not refused:
        message = f"fixes that the reported TCB lacks: {came}"
        verdict: Verdict = "note" if lacking else "pass"
    else:
        verdict, message = _refused(refused, verified, policy, now)
    value = _KNOWN_VULNERABILITIES if lacking else _GENUINE
    return finding("advisories", "reported_tcb", expected, came, verdict, message, ("hardware", value))


def _refused(
    refused: list[AmdAdvisory], verified: VerifiedSnpEvidence, policy: Policy, now: datetime
) -> tuple[Verdict, str]:
    report, product = verified.report, verified.vek.product
    names = ", ".join(f"{item.id} ({item.cve}, {item.published:%Y-%m-%d})" for item in refused)
    message = f"the reported TCB ({report.reported_tcb}) lacks the fixes of {names}"
    cpu = _cpu(report)
    if cpu is not None and (unknown := [item.id for item in refused if not item.levels[product].knows(cpu)]):
        message += (
            f"; the microcode of {', '.join(unknown)} is not known here for a processor of "
            f"family {cpu[0]:#x}, model {cpu[1]:#x}, stepping {cpu[2]}"
        )
    if not policy.grace_days:
        return "fail", message
    grace = f"the grace of {policy.grace_days} days after {rfc3339(refused[0].published)}"
    # The difference cannot overflow, a sum could.
    if now - refused[0].published <= timedelta(days=policy.grace_days):
        return "note", f"{message}; tolerated within {grace}"
    return "fail", f"{message}; {grace} is over"


def _cpu(report: SnpReport) -> Cpu | None:
    body = report.body
    return None if report.product is None else (body.cpuid_family, body.cpuid_model, body.cpuid_stepping)


def _minimum_tcb(verified: VerifiedSnpEvidence, policy: SnpPolicy) -> Iterator[Finding]:
    if not policy.minimum_tcb:
        return
    product, report = verified.vek.product, verified.report
    minimum = policy.minimum_of(product)
    for rule, claim, tcb in (
        ("minimum_tcb", "reported_tcb", report.reported_tcb),
        ("minimum_launch_tcb", "launch_tcb", report.launch_tcb),
    ):
        expected = f"none for {product}" if minimum is None else f"at least {minimum}"
        yield judged(
            minimum is not None and tcb.meets(minimum),
            rule, claim, expected, str(tcb),
            f"{claim} is {tcb}, the policy has {expected}",
            "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
        )  # fmt: skip


def _provisional(report: SnpReport, policy: SnpPolicy) -> Finding:
    came = "provisional" if report.provisional else "committed"
    expected = "any" if policy.allow_provisional_firmware else "committed"
    rule = "provisional_firmware"
    if not report.provisional:
        return finding(rule, rule, expected, came, "pass", "the firmware is committed")
    return finding(
        rule, rule, expected, came,
        "note" if policy.allow_provisional_firmware else "fail",
        f"the firmware is provisional, the host can go back to older: current are "
        f"{_dotted(report.current_version)} and {report.current_tcb}, "
        f"committed {_dotted(report.committed_version)} and {report.committed_tcb}",
        ("hardware", _KNOWN_VULNERABILITIES),
    )  # fmt: skip


def _signing_key(verified: VerifiedSnpEvidence) -> Finding:
    came = verified.vek.kind
    return judged(
        came is SigningKey.VCEK,
        "signing_key", "signing_key", "VCEK", came.name,
        f"the report is signed with a {came.name}: which chip made it is not proven",
        "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
    )  # fmt: skip


def _chip_id(verified: VerifiedSnpEvidence, policy: SnpPolicy) -> Finding:
    expected = "any" if policy.allow_masked_chip_id else "the certificate's"
    if verified.chip_id_verified:
        return finding("chip_id", "chip_id", expected, "the certificate's", "pass", "the chip id is there")
    return finding(
        "chip_id", "chip_id", expected, "masked", "note" if policy.allow_masked_chip_id else "fail",
        "the report leaves its chip id out", ("hardware", 0 if policy.allow_masked_chip_id else 32),
    )  # fmt: skip


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
