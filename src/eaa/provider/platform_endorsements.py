"""All that one quote or report needs, asked for together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.fetched import signed_document
from eaa.endorsements.pck import parse_pck_extension
from eaa.endorsements.subject import (
    AmdCrlSubject,
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    TcbInfoSubject,
    Update,
    VekSubject,
)
from eaa.endorsements.x509 import common_name, parse_certificate_chain
from eaa.errors import EndorsementNotFound, FormatError
from eaa.evidence.dcap_quote import CertificationType, DcapQuote, parse_certification
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct
from eaa.provider.kept import Held

__all__ = [
    "EndorsementsByName",
    "collateral_for",
    "collateral_of",
    "endorsements_for",
    "endorsements_of",
    "subjects_of_quote",
    "subjects_of_report",
]

_QE_IDS = {"sgx": "QE", "tdx": "TD_QE"}
_HWID_BYTES = 8


class EndorsementsByName(Protocol):
    """Who has endorsements: :class:`eaa.provider.endorser.Endorser`."""

    async def endorsement(self, subject: Subject, *, again: bool = False) -> Held:
        """The endorsement of ``subject``, valid now."""
        ...


def subjects_of_quote(quote: DcapQuote, update: Update = "standard") -> tuple[Subject, ...]:
    """TCB info, QE identity, root CA's and PCK CA's revocation list for the platform that made ``quote``.

    Raises:
        EndorsementNotFound: ``endorsement_not_found.pck_certificate``: nothing in it names a platform.
    """
    try:
        data = parse_certification(quote).data
        if data.type is not CertificationType.PCK_CHAIN:
            raise _nameless(f"its certification data is of type {data.type_name}")
        leaf = parse_certificate_chain(data.data, what="PCK certificate chain")[0]
        fmspc, issuer = parse_pck_extension(leaf).fmspc, common_name(leaf.issuer)
    except FormatError as error:
        raise _nameless(str(error)) from None
    return (
        TcbInfoSubject(quote.tee, fmspc, update),
        IdentitySubject(_QE_IDS[quote.tee], update),
        RootCaCrlSubject(),
        PckCrlSubject("platform" if "Platform" in issuer else "processor"),
    )


async def collateral_for(
    quote: DcapQuote, endorser: EndorsementsByName, update: Update = "standard"
) -> IntelCollateral:
    """All of Intel's endorsements for the platform that made ``quote``.

    Raises:
        ProviderError: one cannot be had.
    """
    return collateral_of(await _all(endorser, subjects_of_quote(quote, update)))


def collateral_of(held: Sequence[Held]) -> IntelCollateral:
    """What is held of a quote's subjects, in their order, as verification takes it."""
    tcb_info, identity, root_ca_crl, pck_crl = [item.fetched for item in held]
    return IntelCollateral(
        tcb_info=signed_document(tcb_info, "tcbInfo", "TCB info"),
        qe_identity=signed_document(identity, "enclaveIdentity", "QE identity"),
        root_ca_crl=root_ca_crl.body,
        pck_crl=pck_crl.body,
        pck_crl_issuer_chain=pck_crl.issuer_chain,
    )


def subjects_of_report(report: SnpReport) -> tuple[tuple[VekSubject, AmdCrlSubject], ...]:
    """VEK certificate and ARK's revocation list for the platform of ``report``, likeliest product first.

    Reports of version 2 leave Milan and Genoa open.

    Raises:
        EndorsementNotFound: ``endorsement_not_found.chip_id``: the report leaves out which chip it is.
    """
    if report.key_info.signing_key is SigningKey.NONE:
        raise EndorsementNotFound(
            "no key signed the report: there is nothing to endorse", detail="signing_key"
        )
    vlek = report.key_info.signing_key is SigningKey.VLEK
    if report.chip_id_masked and not vlek:
        raise EndorsementNotFound(
            "the report leaves its chip id out: its VCEK certificate must be given with it", detail="chip_id"
        )
    return tuple(
        (
            VekSubject(product, report.reported_tcb, None if vlek else _hwid(report, product)),
            AmdCrlSubject(product),
        )
        for product in _products(report)
    )


async def endorsements_for(report: SnpReport, endorser: EndorsementsByName) -> SnpEndorsements:
    """All of AMD's endorsements for the platform that made ``report``.

    Raises:
        ProviderError: one cannot be had.
    """
    *others, last = subjects_of_report(report)
    for subjects in others:
        try:
            return endorsements_of(await _all(endorser, subjects))
        except EndorsementNotFound:
            continue
    return endorsements_of(await _all(endorser, last))


def endorsements_of(held: Sequence[Held]) -> SnpEndorsements:
    """What is held of a report's subjects, in their order, as verification takes it."""
    vek, crl = [item.fetched for item in held]
    ask, ark = parse_certificate_chain(vek.issuer_chain, what="AMD certificate chain")
    return SnpEndorsements(vek.body, ask.der, ark.der, crl.body)


async def _all(endorser: EndorsementsByName, subjects: tuple[Subject, ...]) -> list[Held]:
    tasks = [asyncio.ensure_future(endorser.endorsement(subject)) for subject in subjects]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _products(report: SnpReport) -> tuple[SnpProduct, ...]:
    if report.product is not None:
        return (report.product,)
    return (SnpProduct.TURIN,) if report.has_fmc else (SnpProduct.MILAN, SnpProduct.GENOA)


def _hwid(report: SnpReport, product: SnpProduct) -> bytes:
    chip_id = report.body.chip_id
    return chip_id[:_HWID_BYTES] if product.has_fmc else chip_id


def _nameless(why: str) -> EndorsementNotFound:
    return EndorsementNotFound(
        f"the quote does not say which platform's endorsements it needs: {why}", detail="pck_certificate"
    )
