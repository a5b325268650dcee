"""Rules about an SGX enclave's attributes, whatever its measurement."""

from __future__ import annotations

from collections.abc import Iterator

from eaa.appraisal.finding import Finding, finding, judged
from eaa.appraisal.rules_debug import debug_finding
from eaa.evidence.bits import named_bits
from eaa.evidence.sgx import ATTRIBUTE_BITS, EnclaveReport

__all__ = ["sgx_findings"]

_INIT = 1 << 0
_PRIVILEGED = {4: "PROVISION_KEY", 5: "EINITTOKEN_KEY"}
_KNOWN = sum(1 << bit for bit in ATTRIBUTE_BITS)
_NO_KNOWN_VULNERABILITY, _UNAVAILABLE, _UNSUPPORTABLE = 3, 36, 96  # configuration [AR4SI §2.3.4]


def sgx_findings(report: EnclaveReport, *, allow_debug: bool) -> Iterator[Finding]:
    """The outcomes of the rules about ``report``, in order."""
    names = ", ".join(report.attribute_names) or "none"
    yield debug_finding("sgx", names, debug=report.debug, allow_debug=allow_debug)
    yield judged(
        bool(report.flags & _INIT),
        "initialized", "attribute_names", "INIT set", names,
        "ATTRIBUTES.INIT is clear: the enclave was not initialised, its measurement is not final",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNSUPPORTABLE,
    )  # fmt: skip
    unknown = named_bits(report.flags & ~_KNOWN, {})
    yield judged(
        not unknown,
        "attributes_unknown", "attribute_names", "known attributes only", names,
        f"ATTRIBUTES has bits of unknown meaning: {', '.join(unknown)}",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNAVAILABLE,
    )  # fmt: skip
    yield from _privileged_keys(report, names)


def _privileged_keys(report: EnclaveReport, names: str) -> Iterator[Finding]:
    """Access to the provisioning or the launch key is a note, not a failure.

    These keys identify the platform, or allow enclaves to be launched [SDM-3D §39.4.3]. That
    concerns the platform's owner, who had to grant it; the enclave's own memory and sealing keys are
    not exposed. It is unusual for an application, and reference values for ``attributes`` can refuse it.
    """
    held = named_bits(report.flags & sum(1 << bit for bit in _PRIVILEGED), _PRIVILEGED)
    if held:
        yield finding(
            "privileged_keys", "attribute_names", "-", names, "note",
            f"the enclave has access to keys of the platform: {', '.join(held)}",
        )  # fmt: skip
