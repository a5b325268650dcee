"""What CSV verification establishes, and what CSV cannot prove."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eaa.evidence.hygon_csv import CsvReport, CsvTeeInfoV2
from eaa.verify.claims import structure_claims
from eaa.verify.hygon_csv_chain import VerifiedCsvPlatform
from eaa.verify.result import VerifiedEvidence

__all__ = ["CSV_LIMITS", "VerifiedCsvEvidence", "csv_report_claims"]

#: What no CSV report proves, by a stable word. Not all hold for every guest, see ``limits``.
CSV_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "serial_number": "the chip's serial number is not signed; the chip is known by its CEK alone",
        "revocation": "the certificates have no validity period, and there is no revocation list",
        "owner": "the platform's owner (OCA) is not in the evidence",
        "signer_mac": "whoever collected the report took off the mask that its HMAC covers",
        "firmware_version": "a report of version 1 does not name the firmware that runs",
        "runtime_registers": "a report of version 1 has no registers for what was started after launch",
        "mask": "nothing signs the mask of a report of version 1: whoever carries it can change all fields "
        "by the same 4 bytes, so that none of them counts unless the measurement is the expected one",
        "memory_integrity": "the host can replay, move and corrupt encrypted pages of a guest before CSV3",
        "registers": "the host can read and change the registers of a guest before CSV2",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCsvEvidence(VerifiedEvidence):
    """A genuine report: constructed only inside ``eaa.verify``, after its last check.

    Established: firmware of a Hygon processor signed the report's fields with the PEK of a platform whose
    chip Hygon certified up to ``trust_anchor``; what ``bound`` names was equal to what the caller expected.
    Not established: what :attr:`limits` names; that policy and measurement are acceptable, which is
    appraisal's.
    """

    report: CsvReport
    platform: VerifiedCsvPlatform

    @property
    def evidence(self) -> bytes:
        return self.report.encode()

    @property
    def measurement(self) -> bytes:
        return self.report.tee_info.measure

    @property
    def limits(self) -> tuple[str, ...]:
        """The words of :data:`CSV_LIMITS` that hold for this guest."""
        report, policy = self.report, self.report.policy
        holds = {
            "signer_mac": report.restored,
            "firmware_version": report.version == 1,
            "runtime_registers": report.version == 1,
            "mask": report.version == 1,
            "memory_integrity": not policy.csv3,
            "registers": not policy.es and not policy.csv3,
        }
        return tuple(word for word in CSV_LIMITS if holds.get(word, True))

    @property
    def cek_sha256(self) -> bytes:
        """Digest of the CEK's public key, 32 bytes: which chip it is."""
        return hashlib.sha256(self.platform.cek.frame.pubkey).digest()

    def own_claims(self) -> dict[str, Any]:
        pek = self.platform.pek.frame
        return {
            **csv_report_claims(self.report),
            "api_major": pek.api_major,
            "api_minor": pek.api_minor,
            "cek_sha256": self.cek_sha256.hex(),
            "pek_sha256": hashlib.sha256(pek.pubkey).hexdigest(),
            "signer_mac_verified": not self.report.restored,
            "revocation_checked": False,
            "not_established": list(self.limits),
        }


def csv_report_claims(report: CsvReport) -> dict[str, Any]:
    """All fields of ``report`` without masks, its policy by name. These are its words, verified or not.

    What Trustee's verifier names too has its names [COCO-CLAIMS].
    """
    claims = structure_claims(report.tee_info)
    del claims["sig_r"], claims["sig_s"]
    if isinstance(report.tee_info, CsvTeeInfoV2):
        claims["build"] = claims.pop("fw_build")
        claims["anonce"] = None
    else:
        names = ("build", "rtmr_version", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "rtmr4")
        claims |= dict.fromkeys(names)
    policy = report.policy
    return claims | {
        "version": report.version,
        "serial_number": report.serial_number,
        "policy_names": list(policy.names),
        "policy_hsk_version": policy.hsk_version,
        "policy_cek_version": policy.cek_version,
        "policy_api_major": policy.api_major,
        "policy_api_minor": policy.api_minor,
        "es": policy.es,
        "csv3": policy.csv3,
        "debug": policy.debug_allowed,
    }
