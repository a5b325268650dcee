"""A verifier that has endorsements fetched when they are missing, and then verifies again.

Verification itself fetches nothing: it names what is missing. It runs in threads, so that waiting here
holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eaa.errors import EndorsementNotFound
from eaa.tls.evidence_verifier import EvidenceVerifier, GenuineVerifier
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind, PeerVerifier
from eaa.verify.result import VerifiedEvidence

__all__ = ["FetchingVerifier", "Provide", "with_provider"]

#: The endorsements of the platform that made some evidence, waited for; ``None`` for a kind that has none.
Provide = Callable[[EvidenceKind, bytes], Endorsements | None]


@dataclass(frozen=True, slots=True)
class FetchingVerifier:
    """As ``inner``, with endorsements of ``provide`` where it has none."""

    inner: GenuineVerifier
    provide: Provide

    def verify_genuine(
        self,
        evidence: AttachedEvidence,
        *,
        report_data: Sequence[bytes],
        config_id: bytes | None,
        now: datetime,
    ) -> VerifiedEvidence:
        """As of ``inner``.

        Raises:
            ProviderError: what is missing cannot be had either.
            EAAError: as of ``inner``.
        """
        try:
            return self.inner.verify_genuine(
                evidence, report_data=report_data, config_id=config_id, now=now
            )  # fmt: skip
        except EndorsementNotFound:
            found = self.provide(evidence.kind, evidence.evidence)
            if found is None:
                raise
        given = replace(evidence, collateral=found)
        return self.inner.verify_genuine(given, report_data=report_data, config_id=config_id, now=now)


def with_provider(verifier: PeerVerifier, provide: Provide) -> PeerVerifier:
    """``verifier`` with ``provide`` behind it; one that verifies nothing is left as it is."""
    if not isinstance(verifier, EvidenceVerifier):
        return verifier
    vendors = {kind: FetchingVerifier(inner, provide) for kind, inner in verifier.vendors.items()}
    return replace(verifier, vendors=vendors)
