"""Rules about SNP evidence: each fails alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eaa.appraisal.amd_advisories import AMD_ADVISORIES
from eaa.appraisal.policy import Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.reference_values import ReferenceValues, parse_reference_values
from eaa.appraisal.result import AttestationResult
from eaa.appraisal.trust_vector import Tier
from eaa.evidence.snp_bits import GUEST_POLICY_BITS, PLATFORM_INFO_BITS
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.fakes.amd_vendor import SNP_KINDS, SnpKind, make_snp_guest, snp_case, verify_snp
from tests.unit.appraisal.samples import failed, judge, notes, outcome
from tests.unit.appraisal.snp_samples import NOW, snp_evidence

BITS = {name: 1 << bit for bit, name in GUEST_POLICY_BITS.items()}
PLATFORM = {name: 1 << bit for bit, name in PLATFORM_INFO_BITS.items()}
USUAL = 1 << 17 | BITS["SMT"]
MEASURED = "11" * 48


def appraised(
    evidence: VerifiedSnpEvidence, *, allow_debug: bool = False, values: ReferenceValues | None = None,
    **snp: Any,
) -> AttestationResult:  # fmt: skip
    policy = Policy(snp=SnpPolicy(**snp), allow_debug=allow_debug, reference_values=values)
    return judge(evidence, policy, now=NOW)


def values(*alternatives: dict[str, Any]) -> ReferenceValues:
    return parse_reference_values(json.dumps({"version": 1, "snp": alternatives}).encode())


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_ordinary(kind: SnpKind) -> None:
    result = appraised(snp_evidence(kind))
    assert result.accepted, result.reasons
    vector = result.trust_vector
    assert (vector.hardware, vector.configuration, vector.runtime_opaque) == (2, 3, 2)
    assert (vector.executables, result.tier) == (0, Tier.NONE)
    assert notes(result) == ["measurements"]
    assert result.to_dict()["ear.eaa.claims"]["tee"] == "snp"


def test_debug() -> None:
    evidence = snp_evidence(policy=USUAL | BITS["DEBUG"])
    result = appraised(evidence)
    assert failed(result) == ["debug"]
    assert "SMT, DEBUG" in result.reasons[0]
    allowed = appraised(evidence, allow_debug=True)
    assert allowed.accepted
    assert "debug" in notes(allowed)
    assert allowed.tier is Tier.CONTRAINDICATED


def test_a_migration_agent_unless_a_reference_value_approves_it() -> None:
    evidence = snp_evidence(policy=USUAL | BITS["MIGRATE_MA"], measurement=b"\x11" * 48)
    assert failed(appraised(evidence)) == ["guest_policy_migrate_ma"]
    assert appraised(evidence, refused_guest_policy=frozenset()).accepted
    value = (USUAL | BITS["MIGRATE_MA"]).to_bytes(8, "little").hex()
    approved = appraised(evidence, values=values({"measurement": MEASURED, "policy": value}))
    assert approved.accepted
    assert approved.tier is Tier.AFFIRMING
    # A mask that leaves the bit out approves nothing, nor does another field.
    masked = {"value": "00" * 8, "mask": "00000000000000ff"}
    for pins in ({"policy": masked}, {"platform_info": "2500000000000000"}):
        result = appraised(evidence, values=values({"measurement": MEASURED, **pins}))
        assert failed(result) == ["guest_policy_migrate_ma"]


def test_debug_is_not_approved_by_a_reference_value() -> None:
    evidence = snp_evidence(policy=USUAL | BITS["DEBUG"], measurement=b"\x11" * 48)
    value = (USUAL | BITS["DEBUG"]).to_bytes(8, "little").hex()
    result = appraised(evidence, values=values({"measurement": MEASURED, "policy": value}))
    assert failed(result) == ["debug"]


@pytest.mark.parametrize("name", sorted(set(BITS) - {"DEBUG", "MIGRATE_MA"}))
def test_each_bit_of_the_guest_policy_can_be_required_or_refused(name: str) -> None:
    having, lacking = snp_evidence(policy=USUAL | BITS[name]), snp_evidence(policy=1 << 17)
    names = frozenset({name})
    rule = f"guest_policy_{name.lower()}"
    assert appraised(having, required_guest_policy=names).accepted
    result = appraised(lacking, required_guest_policy=names)
    assert failed(result) == [rule]
    assert outcome(result, rule).came == "none"
    assert appraised(lacking, refused_guest_policy=names).accepted
    assert failed(appraised(having, refused_guest_policy=names)) == [rule]


@pytest.mark.parametrize("name", sorted(PLATFORM))
def test_each_bit_of_the_platform_can_be_required_or_refused(name: str) -> None:
    having, lacking = snp_evidence(platform_info=PLATFORM[name]), snp_evidence(platform_info=0)
    names = frozenset({name})
    rule = f"platform_info_{name.lower()}"
    assert appraised(having, required_platform_info=names).accepted
    assert failed(appraised(lacking, required_platform_info=names)) == [rule]
    assert appraised(lacking, refused_platform_info=names).accepted
    assert failed(appraised(having, refused_platform_info=names)) == [rule]


@pytest.mark.parametrize(("abi", "accepted"), [(0x0136, False), (0x0137, True), (0x0200, True), (0, False)])
def test_the_abi_that_the_guest_asks_for(abi: int, accepted: bool) -> None:
    evidence = snp_evidence(policy=USUAL | abi)
    assert appraised(evidence).accepted
    assert failed(appraised(evidence, minimum_abi=(1, 55))) == ([] if accepted else ["guest_policy_abi"])


@pytest.mark.parametrize("vmpl", [1, 2, 3])
def test_vmpl(vmpl: int) -> None:
    evidence = snp_evidence(vmpl=vmpl)
    result = appraised(evidence)
    assert failed(result) == ["vmpl"]
    assert failed(appraised(evidence, max_vmpl=vmpl - 1)) == ["vmpl"]
    assert appraised(evidence, max_vmpl=vmpl).accepted


@pytest.mark.parametrize("vector", ["launch_mit_vector", "current_mit_vector"])
def test_mitigation_vectors(vector: str) -> None:
    both: dict[str, Any] = {"launch_mit_vector": 0b111, "current_mit_vector": 0b111}
    assert appraised(snp_evidence(**both), required_mitigations=0b101).accepted
    lacking = snp_evidence(**both | {vector: 0b110})
    assert failed(appraised(lacking, required_mitigations=0b101)) == [vector]


def test_mitigation_vectors_are_in_version_5_only() -> None:
    result = appraised(snp_evidence("genoa-v4"), required_mitigations=1)
    assert failed(result) == ["launch_mit_vector", "current_mit_vector"]
    assert outcome(result, "launch_mit_vector").came == "not in this report"


@pytest.mark.parametrize(
    ("fields", "pins", "rule"),
    [
        ({"guest_svn": 7}, {"min_guest_svn": 7}, None),
        ({"guest_svn": 6}, {"min_guest_svn": 7}, "min_guest_svn"),
        ({"vmpl": 0}, {"vmpl": 0}, None),
        ({"vmpl": 0}, {"vmpl": [1, 2]}, "vmpl"),
        ({"host_data": b"\x07" * 32}, {"host_data": "07" * 32}, None),
        ({"host_data": b"\x08" * 32}, {"host_data": "07" * 32}, "host_data"),
        ({"id_key_digest": b"\x07" * 48}, {"id_key_digest": "07" * 48}, None),
        ({"author_key_digest": b"\x08" * 48}, {"author_key_digest": "07" * 48}, "author_key_digest"),
        ({"family_id": b"\x07" * 16}, {"family_id": "07" * 16}, None),
        ({"image_id": b"\x08" * 16}, {"image_id": "07" * 16}, "image_id"),
        ({"chip_id": b"\x08" * 64}, {"chip_id": "07" * 64}, "chip_id"),
        (
            {"platform_info": 0x25},
            {"platform_info": {"value": "20" + "00" * 7, "mask": "20" + "00" * 7}},
            None,
        ),
        ({"policy": USUAL}, {"policy": (1 << 17).to_bytes(8, "little").hex()}, "policy"),
    ],
)
def test_each_field_of_reference_values(
    fields: dict[str, Any], pins: dict[str, Any], rule: str | None
) -> None:
    kind: SnpKind = "milan-vlek-v3"  # whose report may name any chip
    evidence = snp_evidence(kind, measurement=b"\x11" * 48, **fields)
    result = appraised(evidence, values=values({"measurement": MEASURED} | pins))
    assert failed(result) == ([] if rule is None else [rule])
    assert (result.tier is Tier.AFFIRMING) is (rule is None)


def test_who_signs_id_blocks_is_an_identity() -> None:
    signed: dict[str, Any] = {"id_key_digest": b"\x07" * 48, "image_id": b"\x09" * 16, "guest_svn": 3}
    pins = {"id_key_digest": "07" * 48, "image_id": "09" * 16, "min_guest_svn": 3}
    assert appraised(snp_evidence(**signed), values=values(pins)).tier is Tier.AFFIRMING
    # Without an ID block the fields are zero.
    assert failed(appraised(snp_evidence(), values=values(pins))) == [
        "id_key_digest", "image_id", "min_guest_svn",
    ]  # fmt: skip


# The platform.


@pytest.mark.parametrize("field", ["current_tcb", "current_build", "current_minor", "current_major"])
def test_provisional_firmware(field: str) -> None:
    guest = make_snp_guest()
    tcb = guest.platform.tcb
    newer = TcbVersion(tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode + 1)
    guest.fields[field] = newer.encode() if field == "current_tcb" else 99
    evidence = verify_snp(guest)
    result = appraised(evidence)
    assert failed(result) == ["provisional_firmware"]
    assert "committed 1.58.3" in result.reasons[0]
    allowed = appraised(evidence, allow_provisional_firmware=True)
    assert allowed.accepted
    assert "provisional_firmware" in notes(allowed)


def test_a_vlek_where_a_vcek_is_required() -> None:
    vlek, vcek = snp_evidence("milan-vlek-v3"), snp_evidence("milan-v3")
    assert appraised(vlek).accepted
    assert failed(appraised(vlek, require_vcek=True)) == ["signing_key"]
    assert appraised(vcek, require_vcek=True).accepted


def test_a_masked_chip_id() -> None:
    evidence = snp_evidence(chip_id=bytes(64))
    assert failed(appraised(evidence)) == ["chip_id"]
    allowed = appraised(evidence, allow_masked_chip_id=True)
    assert allowed.accepted
    assert "chip_id" in notes(allowed)
    assert appraised(snp_evidence(), allow_masked_chip_id=True).accepted


def test_a_vlek_is_not_bound_to_a_chip() -> None:
    result = appraised(snp_evidence("milan-vlek-v3", chip_id=bytes(64)))
    assert result.accepted
    assert "chip_id" not in [item.rule for item in result.rules]


def test_without_a_revocation_list_it_is_noted() -> None:
    case = snp_case(make_snp_guest())
    case = replace(case, endorsements=replace(case.endorsements, crl=None))
    result = appraised(verify_snp(case, allow_missing_crl=True))
    assert result.accepted
    assert "revocation" in notes(result)


MILAN = TcbVersion(bootloader=4, tee=0, snp=29, microcode=222)


@pytest.mark.parametrize("part", ["bootloader", "snp", "microcode"])
def test_minimum_tcb(part: str) -> None:
    evidence = snp_evidence(tcb=MILAN)
    assert appraised(evidence, minimum_tcb=((SnpProduct.MILAN, MILAN),)).accepted
    higher = replace(MILAN, **{part: getattr(MILAN, part) + 1})
    result = appraised(evidence, minimum_tcb=((SnpProduct.MILAN, higher),))
    assert failed(result) == ["minimum_tcb", "minimum_launch_tcb"]


def test_what_was_launched_below_the_minimum_stays_below() -> None:
    older = replace(MILAN, snp=28)
    evidence = snp_evidence(tcb=MILAN, launch_tcb=older.encode())
    assert appraised(evidence).accepted
    result = appraised(evidence, minimum_tcb=((SnpProduct.MILAN, MILAN),))
    assert failed(result) == ["minimum_launch_tcb"]
    assert appraised(evidence, minimum_tcb=((SnpProduct.MILAN, older),)).accepted


def test_a_product_without_a_minimum_is_refused_once_there_is_one() -> None:
    result = appraised(snp_evidence("genoa-v4"), minimum_tcb=((SnpProduct.MILAN, MILAN),))
    assert failed(result) == ["minimum_tcb", "minimum_launch_tcb"]
    assert outcome(result, "minimum_tcb").expected == "none for Genoa"


# Bulletins.


LATER = datetime(2026, 10, 1, tzinfo=UTC)


def lasting(evidence: VerifiedSnpEvidence) -> VerifiedSnpEvidence:
    """As verified with endorsements that are still valid when the bulletins are known."""
    return replace(evidence, endorsements_expire=NOW + timedelta(days=3650))


def test_a_bulletin_whose_fix_is_lacking() -> None:
    evidence = lasting(snp_evidence(tcb=replace(MILAN, snp=28)))
    result = judge(evidence, Policy(), now=LATER)
    assert failed(result) == ["advisories"]
    assert outcome(result, "advisories").came == "AMD-SB-3030"
    assert "CVE-2025-61971, 2026-05-13" in result.reasons[0]
    policy = Policy(snp=SnpPolicy(accepted_advisories=frozenset({"AMD-SB-3030"})))
    accepted = judge(evidence, policy, now=LATER)
    assert accepted.accepted
    assert "advisories" in notes(accepted)
    assert accepted.trust_vector.hardware == 32
    policy = Policy(snp=SnpPolicy(accepted_advisories=frozenset({"AMD-SB-3016"})))
    assert failed(judge(evidence, policy, now=LATER)) == ["advisories"]


def test_a_bulletin_whose_level_is_not_known_for_the_processor() -> None:
    bergamo = snp_evidence("genoa-v5", cpuid_model=0xA0, cpuid_stepping=2, tcb=TcbVersion(255, 255, 255, 255))
    result = judge(lasting(bergamo), Policy(), now=LATER)
    assert failed(result) == ["advisories"]
    assert outcome(result, "advisories").came == "AMD-SB-3020, AMD-SB-3027"
    assert result.reasons[0].endswith(
        "the microcode of AMD-SB-3020, AMD-SB-3027 is not known here for a processor of family 0x19, "
        "model 0xa0, stepping 2"
    )
    known = snp_evidence("genoa-v5", tcb=TcbVersion(255, 255, 255, 255))
    assert judge(lasting(known), Policy(), now=LATER).accepted


def test_a_bulletin_counts_from_its_day() -> None:
    evidence = lasting(snp_evidence(tcb=replace(MILAN, snp=28)))
    day = published("AMD-SB-3030")
    assert judge(evidence, Policy(), now=day - timedelta(seconds=1)).accepted
    assert failed(judge(evidence, Policy(), now=day)) == ["advisories"]


def test_grace_counts_from_the_oldest_bulletin_that_is_lacking_and_not_accepted() -> None:
    evidence = lasting(snp_evidence(tcb=replace(MILAN, snp=26)))
    policy = Policy(grace_days=200, snp=SnpPolicy(accepted_advisories=frozenset({"AMD-SB-3023"})))
    end = timedelta(days=200) + published("AMD-SB-3016")
    within = judge(evidence, policy, now=end)
    assert within.accepted
    tolerated = outcome(within, "advisories")
    assert (tolerated.verdict, tolerated.came) == ("note", "AMD-SB-3023, AMD-SB-3016, AMD-SB-3030")
    over = judge(evidence, policy, now=end + timedelta(seconds=1))
    assert failed(over) == ["advisories"]
    assert over.reasons[0].endswith("is over")


def test_evidence_is_appraised_by_rules_of_its_own_kind_only() -> None:
    result = judge(snp_evidence(), Policy(min_evaluation_data_number=99), now=NOW)
    assert result.accepted
    assert "tcb_status" not in [item.rule for item in result.rules]


def test_freshness_and_endorsements_are_asked_of_it_too() -> None:
    evidence = replace(snp_evidence(), bound=())
    assert "freshness" in notes(appraised(evidence))
    late = judge(evidence, Policy(), now=evidence.endorsements_expire + timedelta(seconds=1))
    assert failed(late) == ["endorsements"]


def published(advisory: str) -> datetime:
    return next(item.published for item in AMD_ADVISORIES if item.id == advisory)
