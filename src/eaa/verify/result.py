"""What verification establishes, and what it was asked to compare."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.endorsements.pck import PckExtension
from eaa.endorsements.x509 import Certificate
from eaa.evidence.dcap_quote import DcapQuote
from eaa.verify.claims import pck_claims, quote_claims, rfc3339, tcb_claims
from eaa.verify.tcb import TcbEvaluation

__all__ = ["Binding", "VerifiedEvidence"]


@dataclass(frozen=True, slots=True)
class Binding:
    """What the evidence must be bound to. ``None`` means: not compared, and said so in the result.

    ``report_data`` is exactly 64 bytes. ``config_id`` is CONFIGID (64 bytes) of an SGX enclave, MRCONFIGID
    (48 bytes) of a TD, or HOST_DATA (32 bytes) of an SNP guest. All bytes are compared, in constant time.
    """

    report_data: bytes | None = None
    config_id: bytes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        if self.report_data is None:
            return () if self.config_id is None else ("config_id",)
        return ("report_data",) if self.config_id is None else ("report_data", "config_id")


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """Genuine evidence: constructed only inside ``eaa.verify``, after its last check.

    Established: the quote was signed by an attestation key that Intel's quoting enclave holds on a
    platform whose certificates lead to ``trust_anchor`` and were not revoked; the TCB is as ``tcb``
    says at ``verified_at``; what :attr:`bound` names was equal to what the caller expected.
    Not established: that the TCB is good enough, that the code is the expected one, or, where
    ``bound`` lacks ``report_data``, that the evidence is fresh. That is appraisal's.
    """

    tee: str  # "sgx" or "tdx"
    quote: DcapQuote
    pck: PckExtension
    tcb: TcbEvaluation
    trust_anchor: Certificate
    verified_at: datetime
    endorsements_issued: datetime  # the latest issue date of TCB info and QE identity
    endorsements_expire: datetime  # the first end of any certificate, list or document
    bound: tuple[str, ...]

    @property
    def claims(self) -> dict[str, Any]:
        """Every claim by the name of the specification's field; bytes as lower-case hex."""
        return {
            "tee": self.tee,
            **quote_claims(self.quote),
            "platform": pck_claims(self.pck),
            "tcb": tcb_claims(self.tcb),
            "trust_anchor": {
                "name": self.trust_anchor.common_name,
                "sha256": hashlib.sha256(self.trust_anchor.der).hexdigest(),
            },
            "endorsements_issued": rfc3339(self.endorsements_issued),
            "endorsements_expire": rfc3339(self.endorsements_expire),
            "bound": list(self.bound),
        }
