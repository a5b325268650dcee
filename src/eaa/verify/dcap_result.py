"""What DCAP verification establishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.endorsements.pck import PckExtension
from eaa.endorsements.x509 import Certificate
from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.sgx import EnclaveReport
from eaa.verify.claims import pck_claims, quote_claims, tcb_claims
from eaa.verify.result import VerifiedEvidence
from eaa.verify.tcb import TcbEvaluation

__all__ = ["VerifiedDcapEvidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDcapEvidence(VerifiedEvidence):
    """A genuine quote: constructed only inside ``eaa.verify``, after its last check.

    Established: the quote was signed by an attestation key that Intel's quoting enclave holds on a
    platform whose certificates lead to ``root`` and were not revoked; the TCB is as ``tcb`` says at
    ``verified_at``; what :attr:`bound` names was equal to what the caller expected.
    """

    quote: DcapQuote
    pck: PckExtension
    tcb: TcbEvaluation
    root: Certificate  # the trust anchor
    endorsements_issued: datetime  # the latest issue date of TCB info and QE identity
    endorsements_expire: datetime

    @property
    def evidence(self) -> bytes:
        return self.quote.encode()

    @property
    def measurement(self) -> bytes:
        body = self.quote.body
        return body.mr_enclave if isinstance(body, EnclaveReport) else body.mr_td

    def own_claims(self) -> dict[str, Any]:
        return {
            **quote_claims(self.quote),
            "platform": pck_claims(self.pck),
            "tcb": tcb_claims(self.tcb),
        }
