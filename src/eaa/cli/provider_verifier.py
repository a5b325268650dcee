"""Endorsements of peers' evidence for commands that verify a few peers and then end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.snp import parse_snp_report
from eaa.provider.platform_endorsements import collateral_for, endorsements_for
from eaa.provider.settings import ProviderSettings
from eaa.services.fetching_verifier import Provide
from eaa.tls.peer import Endorsements, EvidenceKind
from eaa.verify.fetched import TrustRoot

__all__ = ["blocking_provide"]

_QUOTES = frozenset({EvidenceKind.SGX_QUOTE, EvidenceKind.TDX_QUOTE})


def blocking_provide(settings: ProviderSettings, trust_anchors: Sequence[TrustRoot]) -> Provide:
    """What ``settings``' providers have, for threads without event loop, which share the cache on disk."""

    def provide(kind: EvidenceKind, evidence: bytes) -> Endorsements | None:
        return asyncio.run(_fetch(settings, trust_anchors, kind, evidence))

    return provide


async def _fetch(
    settings: ProviderSettings, anchors: Sequence[TrustRoot], kind: EvidenceKind, evidence: bytes
) -> Endorsements | None:
    from eaa.provider.opening import open_endorser  # noqa: PLC0415 - HTTP is for those who fetch

    async with open_endorser(settings, trust_anchors=anchors, now=lambda: datetime.now(UTC)) as opened:
        if kind in _QUOTES:
            return await collateral_for(parse_quote_frame(evidence), opened.endorser, opened.update)
        if kind is EvidenceKind.SNP_REPORT:
            return await endorsements_for(parse_snp_report(evidence), opened.endorser)
        return None
