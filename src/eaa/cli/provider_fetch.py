"""Endorsements fetched for one piece of evidence, as the files that ``--collateral`` would have taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from eaa.cli.files import CollateralFiles
from eaa.cli.platform_subjects import Platform, parse_platform
from eaa.codec.canonical_json import canonical_json
from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.endorsements.subject import HygonChainSubject
from eaa.evidence.dcap_quote import DcapQuote
from eaa.evidence.hygon_csv import CsvReport
from eaa.provider.opening import open_endorser
from eaa.provider.platform_endorsements import collateral_for, endorsements_for
from eaa.provider.settings import ProviderSettings
from eaa.provider.source import Source
from eaa.verify.fetched import TrustRoot

__all__ = ["fetch_files"]


def fetch_files(
    data: bytes,
    settings: ProviderSettings,
    *,
    more: Sequence[Source] = (),
    trust_anchors: Sequence[TrustRoot],
    now: datetime,
) -> tuple[CollateralFiles, tuple[str, ...]]:
    """All that the evidence in ``data`` needs, and what is to be said of it; ``more`` is asked first.

    Raises:
        ProviderError: it is not to be had.
        FormatError, UnsupportedError: no evidence that there are endorsements for.
        ConfigError: a provider is not configured as it must be.
    """
    platform = parse_platform("evidence", data)
    return asyncio.run(_fetch(platform, settings, more, trust_anchors, now))


async def _fetch(
    platform: Platform,
    settings: ProviderSettings,
    more: Sequence[Source],
    anchors: Sequence[TrustRoot],
    now: datetime,
) -> tuple[CollateralFiles, tuple[str, ...]]:
    async with open_endorser(settings, trust_anchors=anchors, more=more, now=lambda: now) as opened:
        evidence = platform.evidence
        if isinstance(evidence, DcapQuote):
            files = _intel(await collateral_for(evidence, opened.endorser, opened.update))
        elif isinstance(evidence, CsvReport):
            held = await opened.endorser.endorsement(HygonChainSubject(evidence.serial_number))
            files = {"fetched hsk_cek.cert": held.fetched.body}
        else:
            files = _amd(await endorsements_for(evidence, opened.endorser))
        sources = sorted({item.kept.source for item in opened.endorser.held()})
        notes = (*opened.notes, f"endorsements come from {', '.join(sources)}")
    return CollateralFiles(files, {}), notes


def _intel(collateral: IntelCollateral) -> dict[str, bytes]:
    """As dcap-qvl's ``QuoteCollateralV3``."""
    members: dict[str, str] = {
        "root_ca_crl": (collateral.root_ca_crl or b"").hex(),
        "pck_crl": (collateral.pck_crl or b"").hex(),
        "pck_crl_issuer_chain": (collateral.pck_crl_issuer_chain or b"").decode(),
        **_document("tcb_info", collateral.tcb_info),
        **_document("qe_identity", collateral.qe_identity),
    }
    return {"fetched collateral": canonical_json(dict(members), "collateral")}


def _document(name: str, document: SignedDocument | None) -> dict[str, str]:
    if document is None:
        return {}
    return {
        name: document.body.decode(),
        f"{name}_signature": document.signature.hex(),
        f"{name}_issuer_chain": document.issuer_chain.decode(),
    }


def _amd(endorsements: SnpEndorsements) -> dict[str, bytes]:
    chain = (endorsements.vek, endorsements.ask, endorsements.ark)
    files = {"fetched certificates": b"".join(encode_pem(der) for der in chain if der is not None)}
    if endorsements.crl is not None:
        files["fetched revocation list"] = endorsements.crl
    return files
