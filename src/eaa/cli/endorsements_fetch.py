"""``shelter endorsements fetch``: all that some platforms need, asked for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.cli.platform_subjects import Platform
from eaa.endorsements.subject import Subject
from eaa.endorsements.x509 import Certificate
from eaa.errors import EAAError, EndorsementNotFound, ProviderError
from eaa.provider.endorser import Endorser
from eaa.provider.opening import open_endorser
from eaa.provider.settings import ProviderSettings
from eaa.verify.claims import rfc3339

__all__ = ["Result", "fetch_platforms"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one endorsement."""

    name: str  # of the subject, or of the evidence that names none
    source: str
    expires: datetime | None
    error: EAAError | None

    @property
    def row(self) -> tuple[str, ...]:
        if self.error is not None:
            return self.name, "failed", str(self.error)
        return self.name, f"until {rfc3339(self.expires)}" if self.expires else "-", self.source

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": self.name,
            "source": self.source or None,
            "expires": rfc3339(self.expires) if self.expires else None,
            "error": None if self.error is None else {"code": self.error.code, "message": str(self.error)},
        }


def fetch_platforms(
    platforms: Sequence[Platform],
    settings: ProviderSettings,
    *,
    trust_anchors: Sequence[Certificate],
    now: Callable[[], datetime],
) -> tuple[list[Result], tuple[str, ...]]:
    """Each endorsement that ``platforms`` need, once; and what is to be said of the providers."""
    return asyncio.run(_fetch_all(platforms, settings, trust_anchors, now))


async def _fetch_all(
    platforms: Sequence[Platform],
    settings: ProviderSettings,
    anchors: Sequence[Certificate],
    now: Callable[[], datetime],
) -> tuple[list[Result], tuple[str, ...]]:
    results: dict[str, Result] = {}
    async with open_endorser(settings, trust_anchors=anchors, now=now) as opened:
        for platform in platforms:
            try:
                possible = platform.alternatives(opened.update)
            except EndorsementNotFound as error:
                results[platform.name] = Result(platform.name, "", None, error)
                continue
            results |= await _first(opened.endorser, possible, results)
    return list(results.values()), opened.notes


async def _first(
    endorser: Endorser, possible: Sequence[Sequence[Subject]], known: dict[str, Result]
) -> dict[str, Result]:
    """The results for the first of the possibilities that is to be had, else for the first."""
    found: list[dict[str, Result]] = []
    for subjects in possible:
        tasks = (_fetch(endorser, item, known.get(item.key)) for item in subjects)
        results = {item.name: item for item in await asyncio.gather(*tasks)}
        if not any(item.error for item in results.values()):
            return results
        found.append(results)
    return found[0]


async def _fetch(endorser: Endorser, subject: Subject, known: Result | None) -> Result:
    if known is not None:
        return known
    try:
        held = await endorser.endorsement(subject, again=True)
    except ProviderError as error:
        return Result(subject.key, "", None, error)
    return Result(subject.key, held.kept.source, held.expires, None)
