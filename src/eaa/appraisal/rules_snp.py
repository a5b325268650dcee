"""All rules about SNP evidence: platform, guest policy, platform configuration, who asked, reference values.

A bit of the guest policy that the policy refuses can be approved by reference values for ``policy`` that
compare it, as the owner then named it. Debug cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from eaa.appraisal.finding import Finding, judged
from eaa.appraisal.measurements import Comparison, compare
from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.rules_debug import debug_finding
from eaa.appraisal.rules_snp_tcb import snp_tcb_findings
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_bits import GUEST_POLICY_BITS
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["snp_findings"]

_NO_KNOWN_VULNERABILITY, _VULNERABLE, _UNAVAILABLE = 3, 32, 36  # configuration [AR4SI §2.3.4]
_BITS = {name: 1 << bit for bit, name in GUEST_POLICY_BITS.items()}
_NO_VECTORS_BEFORE = 5
#: What a bit that is refused lets the host do, or one that is required would have prevented.
_WHY = {
    "SMT": "a sibling thread of the host's may observe the guest",
    "MIGRATE_MA": "a migration agent can take the guest to a platform that was not verified",
    "CXL_ALLOW": "memory may be outside of the socket",
    "SINGLE_SOCKET": "the guest may be started across sockets",
    "MEM_AES_256_XTS": "its memory may be encrypted with AES-128 only",
    "RAPL_DIS": "the host may measure the power that the guest uses",
    "CIPHERTEXT_HIDING_DRAM": "the host can watch the ciphertext of the guest's memory",
    "PAGE_SWAP_DISABLE": "the host may move and swap the guest's pages",
}


def snp_findings(verified: VerifiedSnpEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes, in the order of :mod:`eaa.appraisal.appraise`."""
    report = verified.report
    comparison = compare("snp", report, policy.reference_values)
    yield from snp_tcb_findings(verified, policy, now)
    names = ", ".join(report.policy.names) or "none"
    yield debug_finding("snp", names, debug=report.policy.debug_allowed, allow_debug=policy.allow_debug)
    yield from _guest_policy(report, policy.snp, comparison, names)
    yield from _platform_info(report, policy.snp)
    if policy.snp.minimum_abi is not None:
        yield _abi(report, policy.snp.minimum_abi)
    yield _vmpl(report, policy.snp.max_vmpl)
    if policy.snp.required_mitigations:
        yield from _mitigations(report, policy.snp.required_mitigations)
    yield from comparison.findings


def _guest_policy(
    report: SnpReport, policy: SnpPolicy, comparison: Comparison, names: str
) -> Iterator[Finding]:
    came = report.policy.names
    for name in sorted(policy.refused_guest_policy):
        yield judged(
            name not in came or _approved(report, comparison, name),
            f"guest_policy_{name.lower()}", "policy_names", f"{name} clear", names,
            f"the guest policy has {name}: {_WHY[name]}",
            "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
        )  # fmt: skip
    for name in sorted(policy.required_guest_policy):
        yield judged(
            name in came,
            f"guest_policy_{name.lower()}", "policy_names", f"{name} set", names,
            f"the guest policy is without {name}: {_WHY.get(name, 'it was required')}",
            "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
        )  # fmt: skip


def _approved(report: SnpReport, comparison: Comparison, name: str) -> bool:
    value = report.body.policy.to_bytes(8, "little")
    return comparison.pins_bits("policy", value, _BITS[name].to_bytes(8, "little"))


def _platform_info(report: SnpReport, policy: SnpPolicy) -> Iterator[Finding]:
    came = report.platform_info.names
    wanted = [(name, True) for name in sorted(policy.required_platform_info)]
    for name, is_set in [*wanted, *((name, False) for name in sorted(policy.refused_platform_info))]:
        yield judged(
            (name in came) is is_set,
            f"platform_info_{name.lower()}", "platform_info_names", f"{name} {'set' if is_set else 'clear'}",
            ", ".join(came) or "none",
            f"the platform is {'without' if is_set else 'with'} {name}",
            "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
        )  # fmt: skip


def _abi(report: SnpReport, minimum: tuple[int, int]) -> Finding:
    came = report.policy.abi_major, report.policy.abi_minor
    return judged(
        came >= minimum,
        "guest_policy_abi", "policy_abi", f"at least {minimum[0]}.{minimum[1]}", f"{came[0]}.{came[1]}",
        f"the guest may run on firmware of ABI {came[0]}.{came[1]}, {minimum[0]}.{minimum[1]} is required",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
    )  # fmt: skip


def _vmpl(report: SnpReport, most: int) -> Finding:
    came = report.body.vmpl
    return judged(
        came <= most,
        "vmpl", "vmpl", f"at most {most}", str(came),
        f"who asked for the report runs at VMPL {came}, at most {most} is accepted",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNAVAILABLE,
    )  # fmt: skip


def _mitigations(report: SnpReport, required: int) -> Iterator[Finding]:
    known = report.body.version >= _NO_VECTORS_BEFORE
    for claim, vector in (
        ("launch_mit_vector", report.body.launch_mit_vector),
        ("current_mit_vector", report.body.current_mit_vector),
    ):
        came = f"{vector:#x}" if known else "not in this report"
        yield judged(
            known and vector & required == required,
            claim, claim, f"{required:#x} set", came,
            f"{claim} is {came}, the policy requires {required:#x}",
            "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
        )  # fmt: skip
