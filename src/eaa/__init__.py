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
    from eaa.endorsements.collateral import IntelCollateral
    from eaa.endorsements.pool import EndorsementPool
    from eaa.endorsements.x509 import Certificate
    from eaa.verify.dcap import Memo
    from eaa.verify.result import VerifiedEvidence

__version__ = "0.1.0"
__all__ = ["EAAError", "Policy", "appraise", "verify"]

# Rooms are imported when they are needed: a command line that prints its version needs none.


def verify(
    evidence: bytes,
    *,
    endorsements: IntelCollateral | EndorsementPool | bytes,
    report_data: bytes | None,
    now: datetime,
    config_id: bytes | None = None,
    trust_anchors: Sequence[Certificate] | None = None,
) -> VerifiedEvidence:
    """Verify that ``evidence`` is genuine; raise if it is not.

    Args:
        evidence: an Intel DCAP quote, version 3, 4 or 5, exactly its bytes.
        endorsements: Intel's collateral for the platform: as a value, as a pool to select from, or
            as bytes in any shape that :mod:`eaa.endorsements.bundle` reads.
        report_data: the 64 bytes that the evidence must carry, all of them compared. ``None`` does
            not compare: the result then says nothing about freshness, and ``bound`` is without it.
        now: the time to judge validity at; aware.
        config_id: CONFIGID (SGX, 64 bytes) or MRCONFIGID (TDX, 48 bytes) that it must carry.
        trust_anchors: the only roots to believe; by default Intel's.

    Raises:
        FormatError: the evidence or an endorsement is malformed.
        UnsupportedError: well-formed, of a kind that is not supported.
        EndorsementNotFound: an endorsement is missing, and named.
        VerificationError: not genuine; the leaf class and ``code`` say at which step.
        UsageError: ``now`` is naive, or an expected value has the wrong length.
    """
    from eaa.endorsements.bundle import collateral_for, read_endorsements
    from eaa.endorsements.bundle_json import parse_dcap_qvl
    from eaa.endorsements.collateral import IntelCollateral
    from eaa.endorsements.roots import INTEL_SGX_ROOTS
    from eaa.evidence.dcap_quote import parse_quote_frame
    from eaa.verify.dcap import verify_quote
    from eaa.verify.result import Binding

    if isinstance(endorsements, bytes):
        endorsements = parse_dcap_qvl(endorsements) or read_endorsements("endorsements", endorsements)
    if not isinstance(endorsements, IntelCollateral):
        endorsements = collateral_for(parse_quote_frame(evidence), endorsements)
    return verify_quote(
        evidence,
        collateral=endorsements,
        trust_anchors=INTEL_SGX_ROOTS if trust_anchors is None else trust_anchors,
        binding=Binding(report_data, config_id),
        now=now,
        memo=_process_memo(),
    )


def appraise(verified: VerifiedEvidence, policy: Policy, *, now: datetime | None = None) -> AttestationResult:
    """Judge whether ``verified`` is acceptable to ``policy``; collects every mismatch, never raises for one.

    ``now`` is for grace periods; by default the time at which the evidence was verified.
    """
    from eaa.appraisal.appraise import appraise as appraise_at

    return appraise_at(verified, policy, now=now or verified.verified_at)


@cache
def _process_memo() -> Memo:
    """The collaterals remembered by this process, each with the platforms seen under it [docs/adr/0008]."""
    from eaa.verify.dcap import Memo

    return Memo(64)


def __getattr__(name: str) -> Any:
    if name == "Policy":
        from eaa.appraisal.policy import Policy

        return Policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
