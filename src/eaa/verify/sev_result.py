"""What SEV verification establishes, and what SEV cannot prove."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eaa.endorsements.sev_certificate import SevCertificate
from eaa.evidence.sev import SevReport
from eaa.evidence.sev_evidence import SevProduct
from eaa.verify.claims import structure_claims
from eaa.verify.result import VerifiedEvidence
from eaa.verify.sev_chain import VerifiedSevPlatform

__all__ = ["SEV_LIMITS", "VerifiedSevEvidence", "sev_report_claims"]

#: What no SEV report proves, by a stable word. ``registers`` does not hold for SEV-ES.
SEV_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "report_data": "the host asks for the report, and nothing that the guest chose is in it: "
        "a key or a channel of the guest cannot be bound to it",
        "running_state": "the digest is of what was loaded at launch; nothing says that the guest still runs",
        "memory_integrity": "the host can replay, move and corrupt the guest's encrypted pages unnoticed",
        "firmware_version": "the report does not name the firmware; the PEK names the version that made it",
        "chip_identity": "the chip is known by its CEK alone; no chip id is signed",
        "revocation": "the certificates have no validity period, and there is no revocation list",
        "registers": "the host can read and change the registers of the guest, which is not an SEV-ES guest",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSevEvidence(VerifiedEvidence):
    """A genuine report: constructed only inside ``eaa.verify``, after its last check.

    Established: firmware of an AMD processor signed nonce, launch digest and policy with the PEK of a
    platform whose chip AMD certified up to ``trust_anchor``; where ``bound`` has ``mnonce``, after the caller
    had chosen the nonce.
    Not established: what :attr:`limits` names; that policy and digest are acceptable, which is appraisal's.
    """

    report: SevReport
    platform: VerifiedSevPlatform
    product: SevProduct | None  # of a pinned ARK

    @property
    def evidence(self) -> bytes:
        return self.report.encode()

    @property
    def measurement(self) -> bytes:
        return self.report.body.launch_digest

    @property
    def limits(self) -> tuple[str, ...]:
        """The words of :data:`SEV_LIMITS` that hold for this guest."""
        return tuple(word for word in SEV_LIMITS if word != "registers" or not self.report.policy.es)

    @property
    def cek_sha256(self) -> bytes:
        """Digest of the CEK's public key, 32 bytes: which chip it is."""
        return _key_digest(self.platform.cek)

    @property
    def oca_sha256(self) -> bytes:
        """Digest of the OCA's public key, 32 bytes: which owner it has."""
        return _key_digest(self.platform.oca)

    def own_claims(self) -> dict[str, Any]:
        pek = self.platform.pek.frame
        return {
            **sev_report_claims(self.report),
            "product": None if self.product is None else str(self.product),
            "api_major": pek.api_major,
            "api_minor": pek.api_minor,
            "cek_sha256": self.cek_sha256.hex(),
            "oca_sha256": self.oca_sha256.hex(),
            "pek_sha256": _key_digest(self.platform.pek).hex(),
            "pdh_verified": self.platform.pdh is not None,
            "revocation_checked": False,
            "not_established": list(self.limits),
        }


def sev_report_claims(report: SevReport) -> dict[str, Any]:
    """All fields of ``report``, its policy by name. These are its words, verified or not."""
    claims = structure_claims(report.body)
    del claims["signature_r"], claims["signature_s"]
    return claims | {
        "policy_names": list(report.policy.names),
        "policy_api_major": report.policy.api_major,
        "policy_api_minor": report.policy.api_minor,
        "es": report.policy.es,
        "debug": report.policy.debug_allowed,
    }


def _key_digest(certificate: SevCertificate) -> bytes:
    """SHA-256 of the public key as it stands in the certificate, 1028 bytes.

    Not of the certificate: a new version of it, with the same key, is the same chip or owner.
    """
    return hashlib.sha256(certificate.frame.pubkey).digest()
