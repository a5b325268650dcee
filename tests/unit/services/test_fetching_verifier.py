"""Endorsements that are missing are asked for, and then it is verified again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from eaa.appraisal.policy import Policy
from eaa.errors import EndorsementNotFound, EndorsementUnavailable, SignatureError
from eaa.services.fetching_verifier import ProvidedAttester, with_provider
from eaa.tls.peer import AttachedEvidence, Endorsements, EvidenceKind
from eaa.tls.verifiers import EvidenceVerifier, NullVerifier, make_verifier
from eaa.verify.dcap import Memo
from tests.fakes.vendor import NOW, REPORT_DATA, make_attester

GUEST = make_attester("tdx-v4")
EVIDENCE = AttachedEvidence(EvidenceKind.TDX_QUOTE, GUEST.collect(REPORT_DATA), None)


def verifier() -> EvidenceVerifier:
    made = make_verifier(
        "", policy=Policy(), pool=None, trust_anchors=(GUEST.trust_anchor,), memo=Memo(8), allow_null=False
    )
    assert isinstance(made, EvidenceVerifier)
    return made


def test_what_is_missing_is_asked_for_once() -> None:
    asked: list[EvidenceKind] = []

    def provide(kind: EvidenceKind, evidence: bytes) -> Endorsements:
        asked.append(kind)
        assert evidence == EVIDENCE.evidence
        return GUEST.endorsements()

    result = with_provider(verifier(), provide).verify(EVIDENCE, report_data=REPORT_DATA, now=NOW)
    assert result is not None
    assert result.accepted
    attached = replace(EVIDENCE, collateral=GUEST.endorsements())
    with_provider(verifier(), provide).verify(attached, report_data=REPORT_DATA, now=NOW)
    assert asked == [EvidenceKind.TDX_QUOTE]


def test_what_nobody_has_stays_missing() -> None:
    with pytest.raises(EndorsementNotFound):
        with_provider(verifier(), lambda kind, evidence: None).verify(
            EVIDENCE, report_data=REPORT_DATA, now=NOW
        )

    def unavailable(kind: EvidenceKind, evidence: bytes) -> Endorsements:
        raise EndorsementUnavailable("down", detail="unreachable")

    with pytest.raises(EndorsementUnavailable):
        with_provider(verifier(), unavailable).verify(EVIDENCE, report_data=REPORT_DATA, now=NOW)


def test_what_is_not_genuine_is_refused_all_the_same() -> None:
    body = bytearray(EVIDENCE.evidence)
    body[100] ^= 1
    flipped = replace(EVIDENCE, evidence=bytes(body))
    with pytest.raises(SignatureError):
        with_provider(verifier(), lambda kind, evidence: GUEST.endorsements()).verify(
            flipped, report_data=REPORT_DATA, now=NOW
        )


def test_who_verifies_nothing_is_left_alone() -> None:
    null = NullVerifier()
    assert with_provider(null, lambda kind, evidence: None) is null


@dataclass
class Device:
    """An attester that attaches what it is told."""

    collateral: Endorsements | None = None
    name: str = "device"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        return replace(EVIDENCE, evidence=GUEST.collect(report_data), collateral=self.collateral)


def test_an_attester_attaches_what_is_to_be_had() -> None:
    provided = ProvidedAttester(Device(), lambda kind, evidence: GUEST.endorsements())
    assert provided.name == "device"
    attached = provided.collect(REPORT_DATA)
    assert verifier().verify(attached, report_data=REPORT_DATA, now=NOW).accepted


def test_it_leaves_what_is_attached_and_does_without_what_is_not_to_be_had() -> None:
    def unavailable(kind: EvidenceKind, evidence: bytes) -> Endorsements:
        raise EndorsementUnavailable("down", detail="unreachable")

    own = GUEST.endorsements()
    assert ProvidedAttester(Device(own), unavailable).collect(REPORT_DATA).collateral is own
    assert ProvidedAttester(Device(), unavailable).collect(REPORT_DATA).collateral is None
