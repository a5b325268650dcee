"""SNP reports from guests' JSON to what policies see of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.broker.judgement import Environment
from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.evidence import ParsedEvidence, parse_evidence
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import auth_response, parse_attest_request
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.broker.trustee_claims import policy_claims
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.errors import AppraisalDenied, EndorsementNotFound, FormatError, UsageError
from eaa.evidence.event_log import EventLog
from eaa.evidence.snp import parse_snp_report
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import EvidenceKind
from eaa.tls.snp_verifier import SnpVerifier
from eaa.verify.snp import SnpMemo
from tests.fakes.amd_vendor import (
    NOW,
    SNP_KINDS,
    SnpKind,
    make_snp_guest,
    shared_snp_case,
    verify_snp,
)
from tests.fakes.kbs_client import Guest
from tests.fakes.snp_json import current_json
from tests.unit.broker.broker_fixtures import GUEST_KEY

#: Of Trustee, as its policies read them [COCO-CLAIMS].
TRUSTEE = {
    "policy_abi_major", "policy_abi_minor", "policy_smt_allowed", "policy_migrate_ma", "policy_debug_allowed",
    "policy_single_socket", "reported_tcb_bootloader", "reported_tcb_tee", "reported_tcb_snp",
    "reported_tcb_microcode", "platform_tsme_enabled", "platform_smt_enabled", "measurement", "report_data",
    "init_data", "chip_id",
}  # fmt: skip
GUEST = make_snp_guest("milan-v5")


def _environment(
    attached: SnpEndorsements | None, *, chain: bool = False, guest: Any = GUEST, **snp: Any
) -> Environment:
    challenge = Challenge(
        bytes(16), bytes(32), ProtocolVersion.V0_4_0, Tee.SNP, "", HashAlgorithm.SHA384, NOW,
        NOW.replace(hour=13),
    )  # fmt: skip

    def document(report_data: bytes) -> dict[str, Any]:
        extended = guest.collect_extended(report_data)
        entries = [
            {"cert_type": str(entry.name), "data": list(entry.data)} for entry in extended.certificates
        ]
        report = current_json(parse_snp_report(extended.report))
        return {"attestation_report": report, "cert_chain": entries if chain else None}

    sender = Guest("snp", lambda _: b"", GUEST_KEY, document=document)
    body = json.dumps(sender.attestation(auth_response(challenge))).encode()
    policy = Policy(allow_debug=True, grace_days=3650, snp=SnpPolicy(**snp))
    part = SnpVerifier(None, (guest.trust_anchor,), SnpMemo(4))
    verifier = EvidenceVerifier("test", {EvidenceKind.SNP_REPORT: part}, policy)
    (found,) = EnvironmentVerifier(verifier, lambda kind: attached, False).verify(
        parse_attest_request(body, challenge), challenge, now=NOW
    )
    return found


@pytest.mark.parametrize("chain", [False, True])
def test_a_guest(chain: bool) -> None:
    found = _environment(GUEST.endorsements(), chain=chain)
    assert (found.tee, found.tee_class) == ("snp", "cpu")
    assert found.claims["init_data"] == bytes(32).hex()
    assert found.claims["snp"].keys() >= TRUSTEE - {"report_data", "init_data"}


def test_without_endorsements() -> None:
    with pytest.raises(EndorsementNotFound) as caught:
        _environment(None)
    assert caught.value.code == "endorsement_not_found.vcek"
    with pytest.raises(EndorsementNotFound) as caught:
        _environment(None, chain=True)
    assert caught.value.code == "endorsement_not_found.crl"
    whole = GUEST.endorsements()
    assert _environment(replace(whole, vek=None, ask=None), chain=True).tee == "snp"


def test_the_verifiers_own_policy() -> None:
    guest = make_snp_guest("milan-v5", vmpl=2)
    with pytest.raises(AppraisalDenied) as caught:
        _environment(guest.endorsements(), guest=guest)
    assert caught.value.code == "appraisal.vmpl"
    assert _environment(guest.endorsements(), guest=guest, max_vmpl=2).claims["snp"]["vmpl"] == 2


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_claims(kind: SnpKind) -> None:
    verified = verify_snp(shared_snp_case(kind))
    tee, claims = policy_claims(verified, None)
    report = verified.report
    assert tee == "snp"
    assert claims.keys() > TRUSTEE
    assert claims["measurement"] == report.body.measurement.hex()
    assert claims["reported_tcb_fmc"] == report.reported_tcb.fmc
    assert (claims["reported_tcb_fmc"] is None) is not kind.startswith("turin")
    assert (claims["signing_key"], claims["csp_id"]) == (
        ("VLEK", "CN=cloud.invalid") if "vlek" in kind else ("VCEK", None)
    )
    assert claims["author_key_digest"] is None
    assert claims["committed_tcb"]["snp"] == report.committed_tcb.snp
    assert json.loads(json.dumps(claims)) == claims


def test_a_report_has_no_event_log() -> None:
    log = EventLog(1, 0, 2, 0, 0, 2, (), b"", (), None, 0)
    with pytest.raises(UsageError) as caught:
        policy_claims(verify_snp(shared_snp_case("milan-v5")), log)
    assert caught.value.code == "usage.event_log"


def test_documents_are_read() -> None:
    data = shared_snp_case("milan-v5").report
    value = {"attestation_report": current_json(parse_snp_report(data)), "cert_chain": None}
    found = parse_evidence(Tee.SNP, value)
    assert found == ParsedEvidence(Tee.SNP, EvidenceKind.SNP_REPORT, data, None, ())
    with pytest.raises(FormatError):
        parse_evidence(Tee.SNP, value | {"quote": "AAAA"})
