"""Ends of attested channels for tests: simulated attesters, and verifiers that believe their vendor.

The vendors here are valid around the present: OpenSSL judges certificates by the machine's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedVendor
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.x509 import Certificate
from eaa.errors import EndorsementNotFound
from eaa.tls.peer import AttachedEvidence, EvidenceKind, Profile
from eaa.transport.config import ChannelConfig
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding

__all__ = ["FakeAttester", "FakeVerifier", "both_ends", "client_config", "server_config", "vendor"]


@cache
def vendor(name: str = "vendor") -> SimulatedVendor:
    """The same vendor for one ``name``, valid now."""
    return SimulatedVendor(now=datetime.now(UTC), unsafe_seed=name.encode())


@cache
def _enclave(name: str) -> tuple[SimulatedSgxEnclave, IntelCollateral]:
    enclave = SimulatedSgxEnclave(SimulatedPlatform(vendor(name)))
    return enclave, enclave.endorsements()


@dataclass
class FakeAttester:
    """An enclave of ``vendor``; ``collected`` is the report data it was asked for."""

    vendor: str = "vendor"
    name: str = "simulated"
    collected: list[bytes] = field(default_factory=list)

    def collect(self, report_data: bytes) -> AttachedEvidence:
        self.collected.append(report_data)
        enclave, collateral = _enclave(self.vendor)
        return AttachedEvidence(EvidenceKind.SGX_QUOTE, enclave.collect(report_data), collateral)


@dataclass
class FakeVerifier:
    """Believes the root of ``vendor`` and nothing else; ``asked`` is the report data expected."""

    vendor: str = "vendor"
    name: str = "simulated"
    policy: Policy = field(default_factory=Policy)
    asked: list[bytes] = field(default_factory=list)
    memo: Memo = field(default_factory=lambda: Memo(8))

    @property
    def trust_anchor(self) -> Certificate:
        return vendor(self.vendor).root.parsed

    def verify(self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime) -> AttestationResult:
        self.asked.append(report_data)
        if not isinstance(evidence.collateral, IntelCollateral):
            raise EndorsementNotFound("no collateral attached", detail="collateral")
        verified = verify_quote(
            evidence.evidence,
            collateral=evidence.collateral,
            trust_anchors=(self.trust_anchor,),
            binding=Binding(report_data),
            now=now,
            memo=self.memo,
        )
        return require(appraise(verified, self.policy, now=now))


def server_config(profile: Profile = Profile.EXPORTER_V1, **options: Any) -> ChannelConfig:
    """A server of one-way attestation: it has evidence."""
    return ChannelConfig(**({"attester": FakeAttester(), "verifier": None, "profile": profile} | options))


def client_config(profile: Profile = Profile.EXPORTER_V1, **options: Any) -> ChannelConfig:
    """A client of one-way attestation: it verifies."""
    return ChannelConfig(**({"attester": None, "verifier": FakeVerifier(), "profile": profile} | options))


def both_ends(profile: Profile = Profile.EXPORTER_V1, **options: Any) -> ChannelConfig:
    """Either end of mutual attestation."""
    defaults: dict[str, Any] = {
        "attester": FakeAttester(),
        "verifier": FakeVerifier(),
        "mutual": True,
        "profile": profile,
    }
    return ChannelConfig(**(defaults | options))
