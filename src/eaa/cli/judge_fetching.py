"""Judgement with what providers have: asked once it is known what is missing, and then judged again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eaa.cli.files import CollateralFiles
from eaa.cli.judge import Request, judge
from eaa.cli.verdict import Verdict, failure_fields
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.x509 import Certificate
from eaa.errors import ProviderError, UnsupportedError
from eaa.provider.settings import ProviderSettings
from eaa.provider.source import Source
from eaa.verify.fetched import TrustRoot

__all__ = ["judge_fetching"]

_MISSING = "endorsement_not_found"


def judge_fetching(
    request: Request,
    settings: ProviderSettings | None,
    anchors: Sequence[Certificate],
    bundles: Sequence[Source] = (),
) -> Verdict:
    """The verdict on ``request``; where endorsements are missing, with those of bundles and providers.

    ``anchors`` are the roots named, none for the vendors'. ``bundles`` are asked first, then the providers of
    ``settings``. Without ``settings`` nothing is fetched.

    Raises:
        UsageError, ConfigError: the request, or a provider, is not as it must be.
    """
    verdict = judge(request)
    if verdict.code.partition(".")[0] != _MISSING or (settings is None and not bundles):
        return verdict
    from eaa.cli.provider_fetch import fetch_files  # noqa: PLC0415 - HTTP is for those who fetch

    believed: tuple[TrustRoot, ...] = tuple(anchors) or (*INTEL_SGX_ROOTS, *AMD_ARKS, *HYGON_HRKS)
    try:
        files, notes = fetch_files(
            request.data,
            settings or ProviderSettings(),
            more=bundles,
            trust_anchors=believed,
            now=request.now,
        )
    except (ProviderError, UnsupportedError) as error:
        return replace(verdict, **failure_fields(error), reasons=[str(error), *verdict.reasons])
    given = CollateralFiles({**request.collateral.named, **files.named}, request.collateral.found)
    again = judge(replace(request, collateral=given))
    return replace(again, notes=[*notes, *again.notes])
