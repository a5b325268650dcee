"""Rules about a TD's attributes and what is bound to it, whatever its measurement.

A bit that only lowers what is known of the TD can be approved by reference values for
``td_attributes`` or ``mr_service_td`` that compare it. Debug and bits of unknown meaning cannot.
"""

from __future__ import annotations

from collections.abc import Iterator

from eaa.appraisal.finding import Finding, judged
from eaa.appraisal.measurements import Comparison
from eaa.appraisal.rules_debug import debug_finding
from eaa.evidence.bits import named_bits
from eaa.evidence.tdx import TD_ATTRIBUTE_BITS, TdReport, TdReport15

__all__ = ["tdx_findings"]

_SEPT_VE_DISABLE, _MIGRATABLE = 1 << 28, 1 << 29
_KNOWN = sum(1 << bit for bit in TD_ATTRIBUTE_BITS)
_NO_KNOWN_VULNERABILITY, _VULNERABLE, _UNAVAILABLE = 3, 32, 36  # configuration [AR4SI §2.3.4]


def tdx_findings(report: TdReport, comparison: Comparison, *, allow_debug: bool) -> Iterator[Finding]:
    """The outcomes of the rules about ``report``, in order."""
    names = ", ".join(report.td_attribute_names) or "none"
    yield debug_finding("tdx", names, debug=report.debug, allow_debug=allow_debug)
    yield _unknown(report, names)
    yield _sept_ve_disable(report, comparison, names)
    yield _migratable(report, comparison, names)
    if isinstance(report, TdReport15):
        yield _service_td(report, comparison)


def _unknown(report: TdReport, names: str) -> Finding:
    """Reserved bits are zero [TDX-ABI §3.4.1]; one that is set has a meaning not known here."""
    unknown = named_bits(_attributes(report) & ~_KNOWN, {})
    return judged(
        not unknown,
        "td_attributes_unknown", "td_attribute_names", "known attributes only", names,
        f"TD ATTRIBUTES has bits of unknown meaning: {', '.join(unknown)}",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNAVAILABLE,
    )  # fmt: skip


def _sept_ve_disable(report: TdReport, comparison: Comparison, names: str) -> Finding:
    """Without it, a host that takes away private pages raises exceptions at instructions of its choice.

    Linux cannot take them everywhere, e.g. at system call entry, and refused to start such a TD. Later
    kernels switch them off by themselves where the module allows it, which the quote does not show.
    """
    return judged(
        bool(_attributes(report) & _SEPT_VE_DISABLE) or _approved(report, comparison, _SEPT_VE_DISABLE),
        "sept_ve_disable", "td_attribute_names", "SEPT_VE_DISABLE set", names,
        "SEPT_VE_DISABLE is clear: the host can raise exceptions in the TD where it pleases",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_VULNERABLE,
    )  # fmt: skip


def _migratable(report: TdReport, comparison: Comparison, names: str) -> Finding:
    """A migration TD receives the memory, and decides on which platform it goes on [TDX-ABI §3.4.1]."""
    return judged(
        not _attributes(report) & _MIGRATABLE or _approved(report, comparison, _MIGRATABLE),
        "migratable", "td_attribute_names", "MIGRATABLE clear", names,
        "MIGRATABLE is set: the TD can move to a platform that was not verified",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNAVAILABLE,
    )  # fmt: skip


def _service_td(report: TdReport15, comparison: Comparison) -> Finding:
    """MRSERVICETD is not zero if service TDs are bound, which can read or move this one."""
    came = report.mr_service_td
    return judged(
        not any(came) or comparison.pins_bits("mr_service_td", came, b"\xff" * len(came)),
        "service_td", "mr_service_td", "zero, or a reference value", came.hex(),
        f"a service TD is bound to the TD and no reference value approves it: mr_service_td is {came.hex()}",
        "configuration", good=_NO_KNOWN_VULNERABILITY, bad=_UNAVAILABLE,
    )  # fmt: skip


def _attributes(report: TdReport) -> int:
    return int.from_bytes(report.td_attributes, "little")


def _approved(report: TdReport, comparison: Comparison, bit: int) -> bool:
    return comparison.pins_bits("td_attributes", report.td_attributes, bit.to_bytes(8, "little"))
