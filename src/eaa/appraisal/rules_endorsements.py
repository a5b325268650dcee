"""The rule about the endorsements' age, which all TEEs share."""

from __future__ import annotations

from datetime import datetime

from eaa.appraisal.finding import Finding, judged
from eaa.verify.claims import rfc3339
from eaa.verify.result import VerifiedEvidence

__all__ = ["endorsements_finding"]

_KNOWN_VULNERABILITIES = 32  # hardware [AR4SI §2.3.4]


def endorsements_finding(verified: VerifiedEvidence, now: datetime) -> Finding:
    """Evidence may be verified once and appraised later, when what vouched for it no longer does."""
    end = verified.endorsements_expire
    expire = "never" if end is None else rfc3339(end)
    return judged(
        end is None or now <= end,
        "endorsements", "endorsements_expire", f"not before {rfc3339(now)}", expire,
        f"the endorsements expired at {expire}, asked about {rfc3339(now)}: verify anew",
        "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
    )  # fmt: skip
