"""The table of verification schemes, one for each kind of evidence, behind one question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from eaa.endorsements.amd_endorsements import (
    AmdParts,
    SnpEndorsements,
    complete_chain,
    parts_of_pool,
    parts_of_table,
    select_endorsements,
)
from eaa.endorsements.amd_roots import AMD_ARKS, AMD_ISSUERS
from eaa.endorsements.bundle import read_endorsements
from eaa.endorsements.bundle_json import parse_dcap_qvl
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements, read_hygon_parts
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.pool import EndorsementPool, collateral_for
from eaa.endorsements.recognise import Kind
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.sev_ca import SevCaCertificate
from eaa.endorsements.sev_endorsements import SevEndorsements, read_sev_parts
from eaa.endorsements.sev_roots import AMD_SEV_ARKS
from eaa.endorsements.x509 import Certificate
from eaa.errors import UsageError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_evidence import SnpEvidence, parse_snp_evidence
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.hygon_csv import CsvMemo
from eaa.verify.hygon_csv_evidence import verify_csv_evidence
from eaa.verify.result import Binding, VerifiedEvidence
from eaa.verify.sev import SevMemo
from eaa.verify.sev_evidence import verify_sev_evidence
from eaa.verify.snp import SnpMemo, verify_report

__all__ = ["SCHEMES", "Endorsements", "Memos", "Question", "Scheme", "TrustRoot", "snp_endorsements"]

#: As a value for one platform, as a pool to select from, or as bytes of any shape that a pool is read from.
Endorsements = (
    IntelCollateral | SnpEndorsements | AmdParts | SevEndorsements | CsvEndorsements | EndorsementPool | bytes
)
#: A root in its vendor's form.
TrustRoot = Certificate | SevCaCertificate | HygonCaCertificate
R = TypeVar("R", Certificate, SevCaCertificate, HygonCaCertificate)


@dataclass(frozen=True, slots=True)
class Memos:
    """What earlier calls verified, by scheme."""

    dcap: Memo = field(default_factory=lambda: Memo(64))
    snp: SnpMemo = field(default_factory=lambda: SnpMemo(64))
    sev: SevMemo = field(default_factory=lambda: SevMemo(64))
    csv: CsvMemo = field(default_factory=lambda: CsvMemo(64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Evidence, unwrapped, and all that is to be known about it."""

    evidence: bytes
    endorsements: Endorsements
    trust_anchors: Sequence[TrustRoot] | None  # None: those of the vendor; of other forms are not looked at
    binding: Binding
    now: datetime
    memos: Memos
    allow_missing_crl: bool = False
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY  # of DCAP quotes and SNP reports


@dataclass(frozen=True, slots=True)
class Scheme:
    """``verify`` raises as :func:`eaa.verify`; ``trust_anchors`` are the vendor's roots."""

    verify: Callable[[Question], VerifiedEvidence]
    trust_anchors: tuple[TrustRoot, ...]


def snp_endorsements(evidence: SnpEvidence, endorsements: Endorsements) -> SnpEndorsements:
    """For ``evidence``: given ones, and what came with it. AMD's intermediate certificates need not be given.

    Raises:
        FormatError: evidence or an endorsement is malformed.
        UsageError: endorsements of another vendor.
    """
    known = (*AMD_ISSUERS, *AMD_ARKS)
    if isinstance(endorsements, SnpEndorsements):
        return complete_chain(endorsements, known)
    if isinstance(endorsements, bytes):
        endorsements = read_endorsements("endorsements", endorsements)
    if isinstance(endorsements, EndorsementPool):
        endorsements = parts_of_pool(endorsements)
    if not isinstance(endorsements, AmdParts):
        raise UsageError("an SNP report takes AMD's endorsements, came Intel's", detail="endorsements")
    parts = endorsements + parts_of_table(evidence.certificates)
    return select_endorsements(parse_snp_report(evidence.report), parts, known)


def _verify_dcap(question: Question) -> VerifiedEvidence:
    given = question.endorsements
    if isinstance(given, bytes):
        given = parse_dcap_qvl(given) or read_endorsements("endorsements", given)
    if isinstance(given, EndorsementPool):
        given = collateral_for(parse_quote_frame(question.evidence), given)
    if not isinstance(given, IntelCollateral):
        raise UsageError("a DCAP quote takes Intel's endorsements, came AMD's", detail="endorsements")
    return verify_quote(
        question.evidence,
        collateral=given,
        trust_anchors=_anchors(question, INTEL_SGX_ROOTS, Certificate),
        binding=question.binding,
        now=question.now,
        memo=question.memos.dcap,
        ecdsa=question.ecdsa,
    )


def _verify_snp(question: Question) -> VerifiedEvidence:
    evidence = parse_snp_evidence(question.evidence)
    return verify_report(
        evidence.report,
        endorsements=snp_endorsements(evidence, question.endorsements),
        trust_anchors=_anchors(question, AMD_ARKS, Certificate),
        binding=question.binding,
        now=question.now,
        memo=question.memos.snp,
        allow_missing_crl=question.allow_missing_crl,
        ecdsa=question.ecdsa,
    )


def _verify_sev(question: Question) -> VerifiedEvidence:
    given = question.endorsements
    if isinstance(given, bytes):
        given = read_sev_parts(given)
    if not isinstance(given, SevEndorsements):
        raise UsageError("an SEV report takes AMD's certificates in SEV's format", detail="endorsements")
    return verify_sev_evidence(
        question.evidence,
        endorsements=given,
        trust_anchors=_anchors(question, tuple(AMD_SEV_ARKS.values()), SevCaCertificate),
        binding=question.binding,
        now=question.now,
        memo=question.memos.sev,
    )


def _verify_csv(question: Question) -> VerifiedEvidence:
    given = question.endorsements
    if isinstance(given, bytes):
        given = read_hygon_parts(given)
    if not isinstance(given, CsvEndorsements):
        raise UsageError("a CSV report takes Hygon's certificates", detail="endorsements")
    return verify_csv_evidence(
        question.evidence,
        endorsements=given,
        trust_anchors=_anchors(question, HYGON_HRKS, HygonCaCertificate),
        binding=question.binding,
        now=question.now,
        memo=question.memos.csv,
    )


def _anchors(question: Question, vendors: tuple[R, ...], form: type[R]) -> Sequence[R]:
    named = question.trust_anchors
    return vendors if named is None else [item for item in named if isinstance(item, form)]


#: By what the evidence is recognised as.
SCHEMES: Mapping[Kind, Scheme] = MappingProxyType(
    {
        Kind.DCAP_QUOTE: Scheme(_verify_dcap, INTEL_SGX_ROOTS),
        Kind.SNP_REPORT: Scheme(_verify_snp, AMD_ARKS),
        Kind.SEV_REPORT: Scheme(_verify_sev, tuple(AMD_SEV_ARKS.values())),
        Kind.CSV_REPORT: Scheme(_verify_csv, HYGON_HRKS),
    }
)
