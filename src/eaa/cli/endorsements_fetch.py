"""``shelter endorsements fetch``: all that some platforms need, asked for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from eaa.cli.endorsements_result import Result
from eaa.cli.platform_subjects import Platform
from eaa.endorsements.subject import Subject
from eaa.errors import EndorsementNotFound, ProviderError
from eaa.provider.endorser import Endorser
from eaa.provider.opening import open_endorser
from eaa.provider.settings import ProviderSettings
from eaa.verify.fetched import TrustRoot

__all__ = ["fetch_platforms"]


def fetch_platforms(
    platforms: Sequence[Platform],
    settings: ProviderSettings,
    *,
    trust_anchors: Sequence[TrustRoot],
    now: Callable[[], datetime],
) -> tuple[list[Result], tuple[str, ...]]:
    """Each endorsement that ``platforms`` need, once; and what is to be said of the providers."""
    return asyncio.run(_fetch_all(platforms, settings, trust_anchors, now))


async def _fetch_all(
    platforms: Sequence[Platform],
    settings: ProviderSettings,
    anchors: Sequence[TrustRoot],
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
