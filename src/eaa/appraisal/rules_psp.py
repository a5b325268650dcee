"""Rules that SEV and CSV share: debug, bits of the guest policy, version of the API.

A bit of the guest policy that the policy wants otherwise can be approved by reference values for ``policy``
that compare it, as the owner then named it. Debug cannot.
"""

from __future__ import annotations

from collections.abc import Iterator

from eaa.appraisal.finding import Finding, judged
from eaa.appraisal.measurements import Comparison
from eaa.appraisal.policy_psp import PspPolicy
from eaa.appraisal.rules_debug import debug_finding
from eaa.evidence.psp_policy import CsvGuestPolicy, SevGuestPolicy

__all__ = ["NO_KNOWN_VULNERABILITY", "VULNERABLE", "guest_policy_findings"]

NO_KNOWN_VULNERABILITY, VULNERABLE = 3, 32  # configuration [AR4SI §2.3.4]
_WHY = {
    "NOKS": "the host may start another guest with this guest's key",
    "ES": "the host can read and change the guest's registers",
    "NOSEND": "the host may send the guest to a platform that was not verified",
    "DOMAIN": "the host may send the guest to a platform of another owner",
    "SEV": "the host may send the guest to what is no platform of AMD's",
    "CSV": "the host may send the guest to what is no platform of Hygon's",
    "CSV3": "the host can replay, move and corrupt the guest's memory",
    "ASID_REUSE": "guests of the same owner may share an address space id",
}


def guest_policy_findings(
    tee: str,
    guest: SevGuestPolicy | CsvGuestPolicy,
    policy: PspPolicy,
    comparison: Comparison,
    *,
    allow_debug: bool,
) -> Iterator[Finding]:
    """The outcomes of the rules about ``guest``, in order."""
    names = ", ".join(guest.names) or "none"
    yield debug_finding(tee, names, debug=guest.debug_allowed, allow_debug=allow_debug)
    numbers = {name: bit for bit, name in policy.BITS.items()}
    wanted = [(name, True) for name in sorted(policy.required_guest_policy)]
    for name, is_set in [*wanted, *((name, False) for name in sorted(policy.refused_guest_policy))]:
        bit = 1 << numbers[name]
        holds = bool(guest.value & bit) is is_set or comparison.pins_bits(
            "policy", guest.value.to_bytes(4, "little"), bit.to_bytes(4, "little")
        )
        yield judged(
            holds,
            f"guest_policy_{name.lower()}", "policy_names", f"{name} {'set' if is_set else 'clear'}", names,
            f"the guest policy is {'without' if is_set else 'with'} {name}: {_WHY[name]}",
            "configuration", good=NO_KNOWN_VULNERABILITY, bad=VULNERABLE,
        )  # fmt: skip
    if policy.minimum_api is not None:
        yield _api(guest, policy.minimum_api)


def _api(guest: SevGuestPolicy | CsvGuestPolicy, minimum: tuple[int, int]) -> Finding:
    came = guest.api_major, guest.api_minor
    return judged(
        came >= minimum,
        "guest_policy_api", "policy_api", f"at least {minimum[0]}.{minimum[1]}", f"{came[0]}.{came[1]}",
        f"the guest may run on firmware of API {came[0]}.{came[1]}, {minimum[0]}.{minimum[1]} is required",
        "configuration", good=NO_KNOWN_VULNERABILITY, bad=VULNERABLE,
    )  # fmt: skip
