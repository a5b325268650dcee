"""What the two ends of an attested channel hand to each other, and whom they ask.

Evidence travels in a certificate (profile ``ratls-cert``) or through the gate after the handshake
(profile ``exporter-v1``). Either way it comes down to the same question: is this evidence genuine and
acceptable, and does its *signed* report data have exactly the 64 bytes that bind it to this key, and
under ``exporter-v1`` to this connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from eaa.appraisal.result import AttestationResult
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.errors import UsageError

__all__ = [
    "AttachedEvidence",
    "Attester",
    "Endorsements",
    "EvidenceKind",
    "PeerIdentity",
    "PeerVerifier",
    "Profile",
    "Role",
]

#: Report data of every TEE that is known here.
REPORT_DATA_BYTES = 64
#: What vendors vouch for, by vendor.
Endorsements: TypeAlias = IntelCollateral | SnpEndorsements


class EvidenceKind(StrEnum):
    """What the evidence bytes are."""

    SGX_QUOTE = "sgx_quote"
    TDX_QUOTE = "tdx_quote"
    TDX_REPORT = "tdx_report"
    SGX_REPORT = "sgx_report"
    SNP_REPORT = "snp_report"
    SEV_REPORT = "sev_report"
    CSV_REPORT = "csv_report"


class Role(StrEnum):
    """Which end one is; part of what the evidence is bound to, so that it cannot be reflected."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Role:
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class Profile(StrEnum):
    """How evidence and channel are bound. There is no downgrade from one to the other.

    ``RATLS_CERT``: by the certificate's key only. For interoperation; replayable by whoever holds the key.
    ``EXPORTER_V1``: by the key, both ends' nonces, the role, the profile and the TLS exporter.
    """

    RATLS_CERT = "ratls-cert"
    EXPORTER_V1 = "exporter-v1"


@dataclass(frozen=True, slots=True)
class AttachedEvidence:
    """Evidence as it travels, with the endorsements that its sender attached, if any.

    Those of an SNP report are AMD's; all other kinds have Intel's.

    Raises:
        UsageError: ``usage.endorsements_kind``: endorsements by a vendor that does not make such evidence.
    """

    kind: EvidenceKind
    evidence: bytes
    collateral: Endorsements | None = None

    def __post_init__(self) -> None:
        is_amd = isinstance(self.collateral, SnpEndorsements)
        if self.collateral is not None and is_amd != (self.kind is EvidenceKind.SNP_REPORT):
            vendor = "AMD" if is_amd else "Intel"
            raise UsageError(f"{vendor} endorses no {self.kind}", detail="endorsements_kind")


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who is at the other end, as far as it was proven.

    ``result`` is ``None`` where nothing was asked of the peer (one-way), or where a null verifier was
    named: then ``proven`` is false, and whoever reads this must say so.
    """

    role: Role
    profile: Profile
    spki: bytes  # SubjectPublicKeyInfo in DER of the TLS peer certificate; empty without one
    result: AttestationResult | None
    verifier: str  # name of the verifier instance, "" where nothing was asked
    verified_at: datetime | None

    @property
    def proven(self) -> bool:
        """Whether the peer's evidence was genuine, bound to this channel, and acceptable."""
        return self.result is not None and self.result.accepted

    def claims(self) -> dict[str, Any]:
        """The verified claims, empty if nothing was proven."""
        return self.result.verified.claims if self.result is not None else {}


class Attester(Protocol):
    """Collects evidence about the environment that this process runs in."""

    @property
    def name(self) -> str: ...

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """Evidence whose signed report data is ``report_data``, 64 bytes. May take a second.

        Raises:
            AttesterError: no device, busy, or a firmware status.
        """
        ...


class PeerVerifier(Protocol):
    """Decides about a peer's evidence."""

    @property
    def name(self) -> str: ...

    def verify(
        self, evidence: AttachedEvidence, *, report_data: bytes, now: datetime
    ) -> AttestationResult | None:
        """The accepted result; ``None`` only from a null verifier, which proves nothing.

        ``report_data`` is the 64 bytes that the evidence must carry; an implementation compares all of
        them inside the signed evidence.

        Raises:
            EAAError: not genuine, not bound, not acceptable, or not supported.
        """
        ...
