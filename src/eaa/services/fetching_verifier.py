"""Endorsements fetched where they are missing: by who verifies, who then verifies again, and by who attests.

Verification itself fetches nothing: it names what is missing. It runs in threads, so that waiting here
holds up nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from eaa.errors import EndorsementNotFound, ProviderError
from eaa.tls.evidence_verifier import EvidenceVerifier, GenuineVerifier
from eaa.tls.peer import AttachedEvidence, Attester, Endorsements, EvidenceKind, PeerVerifier
from eaa.verify.result import VerifiedEvidence

__all__ = ["FetchingVerifier", "Provide", "ProvidedAttester", "with_provider"]

_LOG = logging.getLogger("eaa.provider")

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


@dataclass(frozen=True, slots=True)
class ProvidedAttester:
    """As ``inner``, with endorsements of ``provide`` attached where it attaches none.

    Evidence goes out without them where they cannot be had: its verifier may have them.
    """

    inner: Attester
    provide: Provide

    @property
    def name(self) -> str:
        return self.inner.name

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """As of ``inner``."""
        evidence = self.inner.collect(report_data)
        if evidence.collateral is not None:
            return evidence
        try:
            return replace(evidence, collateral=self.provide(evidence.kind, evidence.evidence))
        except ProviderError as error:
            _LOG.warning("evidence goes out without endorsements: %s", error)
            return evidence


def with_provider(verifier: PeerVerifier, provide: Provide) -> PeerVerifier:
    """``verifier`` with ``provide`` behind it; one that verifies nothing is left as it is."""
    if not isinstance(verifier, EvidenceVerifier):
        return verifier
    vendors = {kind: FetchingVerifier(inner, provide) for kind, inner in verifier.vendors.items()}
    return replace(verifier, vendors=vendors)
