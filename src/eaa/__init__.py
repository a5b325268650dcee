"""EAA: verify what a hardware-protected environment says about itself.

Four names are all that most programs need::

    verified = eaa.verify(quote, endorsements=collateral, report_data=challenge, now=datetime.now(UTC))
    result = eaa.appraise(verified, eaa.Policy())
    if not result.accepted: ...

Everything raised on purpose is an :class:`EAAError` with a stable ``code``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

# The room is bound to its name before the function below takes the name over: importing one of its
# modules later does not bind it again.
import eaa.verify as _room  # noqa: F401 - for its effect, said above
from eaa.errors import EAAError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eaa.appraisal.policy import Policy
    from eaa.appraisal.result import AttestationResult
    from eaa.verify.ecdsa import EcdsaLibrary
    from eaa.verify.result import VerifiedEvidence
    from eaa.verify.schemes import Endorsements, Memos, TrustRoot

__version__ = "0.1.0"
__all__ = ["EAAError", "Policy", "appraise", "verify"]

# Rooms are imported when they are needed: a command line that prints its version needs none.


def verify(
    evidence: bytes,
    *,
    endorsements: Endorsements,
    report_data: bytes | None,
    now: datetime,
    config_id: bytes | None = None,
    trust_anchors: Sequence[TrustRoot] | None = None,
    allow_missing_crl: bool = False,
    ecdsa: EcdsaLibrary | None = None,
) -> VerifiedEvidence:
    """Verify that ``evidence`` is genuine; raise if it is not.

    Args:
        evidence: an Intel DCAP quote, version 3, 4 or 5, an AMD SEV-SNP report, version 2 to 5, an AMD SEV
            report, or a Hygon CSV report, version 1 or 2, a report perhaps with the certificates that came
            with it; told apart by content, in any wrapping that :mod:`eaa.endorsements.recognise` takes off.
        endorsements: the vendor's for the platform: as a value, as a pool to select from, or as bytes in any
            shape that :mod:`eaa.endorsements.bundle` reads. What came with an SNP report is used as well.
        report_data: the 64 bytes that the evidence must carry, all of them compared. ``None`` does
            not compare: the result then says nothing about freshness, and ``bound`` is without it. Of an
            SEV report, which has no report data, the nonce with 48 zero bytes after it.
        now: the time to judge validity at; aware.
        config_id: CONFIGID (SGX, 64 bytes), MRCONFIGID (TDX, 48 bytes) or host data (SNP, 32 bytes) that it
            must carry.
        trust_anchors: the only roots to believe; by default those of the evidence's vendor.
        allow_missing_crl: verify an SNP report without AMD's revocation list. Whether a key was revoked is
            then not known, and the result says so.
        ecdsa: the library that checks ECDSA signatures of quotes and SNP reports; by default
            ``cryptography``, see :mod:`eaa.verify.ecdsa`.

    Raises:
        FormatError: the evidence or an endorsement is malformed.
        UnsupportedError: well-formed, of a kind that is not supported.
        EndorsementNotFound: an endorsement is missing, and named.
        VerificationError: not genuine; the leaf class and ``code`` say at which step.
        UsageError: ``now`` is naive, an expected value has the wrong length, or the endorsements are
            another vendor's.
    """
    from eaa.endorsements.evidence_kinds import recognise_evidence
    from eaa.verify.ecdsa import CRYPTOGRAPHY
    from eaa.verify.result import Binding
    from eaa.verify.schemes import SCHEMES, Question

    found = recognise_evidence(evidence)
    question = Question(
        evidence=found.data,
        endorsements=endorsements,
        trust_anchors=trust_anchors,
        binding=Binding(report_data, config_id),
        now=now,
        memos=_process_memos(),
        allow_missing_crl=allow_missing_crl,
        ecdsa=ecdsa or CRYPTOGRAPHY,
    )
    return SCHEMES[found.kind].verify(question)


def appraise(verified: VerifiedEvidence, policy: Policy, *, now: datetime | None = None) -> AttestationResult:
    """Judge whether ``verified`` is acceptable to ``policy``; collects every mismatch, never raises for one.

    ``now`` is for grace periods; by default the time at which the evidence was verified.
    """
    from eaa.appraisal.appraise import appraise as appraise_at

    return appraise_at(verified, policy, now=now or verified.verified_at)


@cache
def _process_memos() -> Memos:
    """What this process remembers of endorsements, with the platforms seen under them [docs/adr/0008]."""
    from eaa.verify.schemes import Memos

    return Memos()


def __getattr__(name: str) -> Any:
    if name == "Policy":
        from eaa.appraisal.policy import Policy

        return Policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
