"""A simulated vendor for tests: repeatable, valid around :data:`NOW`, to be changed at will.

    attester = make_attester("tdx-v4")
    attester.platform.td_qe.isv_svn = 0
    with pytest.raises(EndorsementError): verify(attester)

Everything that a test may change is made anew for it; what is cached is bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.x509 import Certificate
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import Binding

__all__ = [
    "BOUND",
    "KINDS",
    "NOW",
    "REPORT_DATA",
    "Attester",
    "Evidence",
    "Kind",
    "evidence_of",
    "make_attester",
    "make_platform",
    "make_vendor",
    "shared_evidence",
    "verify",
]

Attester = SimulatedSgxEnclave | SimulatedTdxGuest
Kind = Literal["sgx-v3", "sgx-v4", "sgx-v5", "tdx-v4", "tdx-v5", "tdx15-v5"]
Ca = Literal["platform", "processor"]

#: All shapes of quote: TEE and version; ``tdx15`` has the report of TDX 1.5.
KINDS: tuple[Kind, ...] = ("sgx-v3", "sgx-v4", "sgx-v5", "tdx-v4", "tdx-v5", "tdx15-v5")
#: When everything of these vendors is valid, from a day before to 29 days after.
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
#: What quotes are bound to unless said otherwise, 64 bytes.
REPORT_DATA = bytes(range(64))
#: What :func:`verify` asks for unless said otherwise.
BOUND = Binding(REPORT_DATA)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote with all that verifies it."""

    quote: bytes
    collateral: IntelCollateral
    trust_anchor: Certificate


def make_vendor(name: str = "vendor") -> SimulatedVendor:
    """A vendor that is the same each time for one ``name``, and another for another."""
    return SimulatedVendor(now=NOW, unsafe_seed=name.encode())


def make_platform(*, ca: Ca = "platform", vendor: SimulatedVendor | None = None) -> SimulatedPlatform:
    """A platform at the latest TCB level, of ``vendor`` or a new one."""
    return SimulatedPlatform(vendor or make_vendor(), ca=ca)


def make_attester(kind: Kind, *, platform: SimulatedPlatform | None = None, debug: bool = False) -> Attester:
    """An attester whose quotes are of ``kind``, on ``platform`` or a new one of a new vendor."""
    platform = platform or make_platform()
    tee, _, version = kind.partition("-v")
    if tee == "sgx":
        return SimulatedSgxEnclave(platform, quote_version=int(version), debug=debug)
    return SimulatedTdxGuest(platform, quote_version=int(version), tdx15=tee == "tdx15", debug=debug)


def evidence_of(attester: Attester, report_data: bytes = REPORT_DATA) -> Evidence:
    """Quote and endorsements of ``attester``, signed now."""
    return Evidence(attester.collect(report_data), attester.endorsements(), attester.trust_anchor)


@cache
def shared_evidence(kind: Kind) -> Evidence:
    """Evidence of an attester of ``kind`` that nothing was changed in; the same value each time."""
    return evidence_of(make_attester(kind))


def verify(
    evidence: Evidence | Attester,
    *,
    now: datetime = NOW,
    trust_anchors: Sequence[Certificate] | None = None,
    binding: Binding = BOUND,
    memo: Memo | None = None,
) -> VerifiedDcapEvidence:
    """``evidence`` verified from nothing, under its own root unless ``trust_anchors`` says otherwise."""
    if not isinstance(evidence, Evidence):
        evidence = evidence_of(evidence)
    return verify_quote(
        evidence.quote,
        collateral=evidence.collateral,
        trust_anchors=(evidence.trust_anchor,) if trust_anchors is None else trust_anchors,
        binding=binding,
        now=now,
        memo=Memo(8) if memo is None else memo,
    )
