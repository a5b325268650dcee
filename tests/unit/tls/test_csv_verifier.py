"""CSV reports of peers, in certificates and through the gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.appraisal.policy import Policy
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.errors import AppraisalDenied, BindingError, ChainError, EndorsementNotFound, FormatError, UsageError
from eaa.evidence.hygon_csv import parse_csv_report
from eaa.evidence.hygon_csv_evidence import CsvEvidence
from eaa.tls.attached import decode_attached, encode_attached
from eaa.tls.certificate import read_certificate
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.mint import mint_certificate, public_key_info
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.tls.verifiers import make_verifier
from eaa.verify.dcap import Memo
from tests.fakes.hygon_vendor import CSV_KINDS, NOW, REPORT_DATA, CsvKind, make_csv_guest, shared_csv_case
from tests.fakes.vendor import make_vendor

_NOSEND = 1 << 3
GUEST = make_csv_guest()
CASE = shared_csv_case("csv3-v1")


def make(name: str = "csv", **changed: Any) -> EvidenceVerifier:
    arguments = {
        "policy": Policy(), "pool": None, "trust_anchors": (make_vendor().root.parsed,), "memo": Memo(1),
        "allow_null": False, "hygon_anchors": (CASE.trust_anchor,),
    }  # fmt: skip
    verifier = make_verifier(name, **(arguments | changed))
    assert isinstance(verifier, EvidenceVerifier)
    return verifier


def evidence_of(report: bytes, *, chip: bool = True) -> AttachedEvidence:
    given = CASE.endorsements
    found = CsvEvidence(parse_csv_report(report, restored=False))
    if chip:
        found = replace(found, hsk=given.hsk, cek=given.cek)
    return AttachedEvidence(EvidenceKind.CSV_REPORT, found.encode())


def genuine(
    verifier: EvidenceVerifier, evidence: AttachedEvidence, report_data: bytes = REPORT_DATA
) -> bytes:
    found = verifier.verify_genuine(evidence, report_data=(report_data,), config_id=None, now=NOW)
    return found.evidence


@pytest.mark.parametrize("name", ["csv", ""])
@pytest.mark.parametrize("kind", CSV_KINDS)
def test_genuine(name: str, kind: CsvKind) -> None:
    case = shared_csv_case(kind)
    evidence = CsvEvidence(
        parse_csv_report(case.report, restored=False), case.endorsements.hsk, case.endorsements.cek
    )
    attached = AttachedEvidence(EvidenceKind.CSV_REPORT, evidence.encode())
    assert genuine(make(name), attached) == evidence.report.raw


def test_accepted_and_what_csv_cannot_prove_is_said() -> None:
    with pytest.raises(AppraisalDenied) as caught:
        make().verify(evidence_of(CASE.report), report_data=REPORT_DATA, now=NOW)
    assert caught.value.code == "appraisal.guest_policy_nosend"
    guest = make_csv_guest()
    guest.policy |= _NOSEND
    result = make().verify(evidence_of(guest.collect(REPORT_DATA)), report_data=REPORT_DATA, now=NOW)
    assert result.accepted
    assert any("what CSV cannot prove" in reason for reason in result.reasons)


def test_without_the_chips_certificates() -> None:
    with pytest.raises(EndorsementNotFound):
        genuine(make(), evidence_of(CASE.report, chip=False))


@pytest.mark.parametrize("anchors", [HYGON_HRKS, ()])
def test_roots(anchors: Any) -> None:
    with pytest.raises((ChainError, EndorsementNotFound)):
        genuine(make(hygon_anchors=anchors), evidence_of(CASE.report))


def test_report_data_and_configuration() -> None:
    with pytest.raises(BindingError):
        genuine(make(), evidence_of(CASE.report), bytes(64))
    with pytest.raises(UsageError):
        make().verify_genuine(
            evidence_of(CASE.report), report_data=(REPORT_DATA,), config_id=bytes(32), now=NOW
        )


def test_no_report() -> None:
    with pytest.raises(FormatError):
        genuine(make(), AttachedEvidence(EvidenceKind.CSV_REPORT, bytes(4096)))


def test_in_a_certificate_and_through_the_gate() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    claims = encode_claims(spki=public_key_info(key), nonce=None)
    report_data = hash_report_data(claims)
    attached = evidence_of(GUEST.collect(report_data))
    der = mint_certificate(key, attached, claims, not_before=NOW, not_after=NOW + timedelta(minutes=5))
    read = read_certificate(der)
    assert (read.attached, read.report_data) == (attached, report_data)
    assert genuine(make(), read.attached, read.report_data)
    assert decode_attached(encode_attached(attached)) == attached
