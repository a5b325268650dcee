"""Comparison with reference values: every field fails alone, the closest alternative is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.appraisal.result import AttestationResult
from eaa.appraisal.trust_vector import Tier
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport
from tests.unit.appraisal.samples import ENCLAVE, TD, TD15, failed, judge, notes, outcome, verified

SGX: dict[str, Any] = {
    "mr_enclave": "11" * 32,
    "mr_signer": "22" * 32,
    "isv_prod_id": 1,
    "min_isv_svn": 3,
    "attributes": "0500000000000000e700000000000000",
    "xfrm": "e700000000000000",
    "misc_select": 0,
    "config_id": "33" * 64,
}
TDX: dict[str, Any] = {
    "mr_td": "44" * 48,
    "rt_mr0": "60" * 48,
    "rt_mr1": "61" * 48,
    "rt_mr2": "62" * 48,
    "rt_mr3": "00" * 48,
    "mr_seam": "55" * 48,
    "td_attributes": "0000001000000000",
    "xfam": "e702060000000000",
    "mr_config_id": "00" * 48,
    "mr_owner": "00" * 48,
    "mr_owner_config": "00" * 48,
    "mr_service_td": "00" * 48,
}
ASPECTS = {
    "mr_seam": ("hardware", 97),
    **dict.fromkeys(("attributes", "xfrm", "misc_select", "config_id"), ("configuration", 36)),
    **dict.fromkeys(("td_attributes", "xfam", "mr_config_id", "mr_service_td"), ("configuration", 36)),
    **dict.fromkeys(("mr_owner", "mr_owner_config"), ("configuration", 36)),
}


def against(report: EnclaveReport | TdReport, **document: Any) -> AttestationResult:
    values = parse_reference_values(json.dumps({"version": 1, **document}).encode())
    return judge(verified(report), Policy(reference_values=values))


def another(value: str | int) -> str | int:
    return value + 1 if isinstance(value, int) else f"{int(value[:2], 16) ^ 1:02x}{value[2:]}"


def test_everything_pinned_and_met() -> None:
    for result in (against(ENCLAVE, sgx=[SGX]), against(TD15, tdx=[TDX])):
        assert (result.accepted, result.code, result.reasons) == (True, "accepted", ())
        assert result.tier is Tier.AFFIRMING
        assert result.trust_vector.executables == 3
        assert outcome(result, "measurements").verdict == "pass"


@pytest.mark.parametrize("name", SGX)
def test_one_field_of_an_enclave(name: str) -> None:
    result = against(ENCLAVE, sgx=[SGX | {name: another(SGX[name])}])
    assert failed(result) == [name]
    assert result.code == f"appraisal.{name}"
    aspect, value = ASPECTS.get(name, ("executables", 33))
    assert getattr(result.trust_vector, aspect) == value
    assert result.tier is Tier.WARNING


@pytest.mark.parametrize("name", TDX)
def test_one_field_of_a_td(name: str) -> None:
    result = against(TD15, tdx=[TDX | {name: another(TDX[name])}])
    assert failed(result) == [name]
    aspect, value = ASPECTS.get(name, ("executables", 33))
    assert getattr(result.trust_vector, aspect) == value


def test_a_mismatch_says_what_was_expected_and_what_came() -> None:
    result = against(ENCLAVE, sgx=[SGX | {"min_isv_svn": 4, "isv_prod_id": [2, 7]}])
    assert result.reasons == ("isv_prod_id is 1, expected 2 or 7", "min_isv_svn is 3, expected at least 4")
    found = outcome(result, "min_isv_svn")
    assert (found.claim, found.expected, found.came, found.verdict) == (
        "min_isv_svn",
        "at least 4",
        "3",
        "fail",
    )


def test_all_mismatches_are_collected() -> None:
    wrong = {name: another(value) for name, value in TDX.items()}
    assert failed(against(TD15, tdx=[wrong])) == list(TDX)


def test_any_alternative_may_be_met() -> None:
    signer = {name: SGX[name] for name in ("mr_signer", "isv_prod_id", "min_isv_svn")}
    result = against(ENCLAVE, sgx=[{"mr_enclave": "99" * 32}, signer])
    assert result.accepted
    assert [item.rule for item in result.rules if item.rule in SGX] == list(signer)


def test_the_closest_alternative_is_reported() -> None:
    far = {name: another(value) for name, value in SGX.items()}
    near = SGX | {"config_id": "34" * 64}
    result = against(ENCLAVE, sgx=[far, near, far])
    assert failed(result) == ["config_id"]
    assert result.reasons[0].endswith("(closest of 3 alternatives)")


def test_of_equally_close_ones_the_first() -> None:
    result = against(ENCLAVE, sgx=[{"mr_enclave": "98" * 32}, {"mr_enclave": "99" * 32}])
    assert outcome(result, "mr_enclave").expected == "98" * 32


def test_any_value_of_a_list() -> None:
    assert against(TD, tdx=[{"mr_td": ["99" * 48, "44" * 48]}]).accepted


def test_under_a_mask() -> None:
    mask = {"value": "05" + "00" * 15, "mask": "ff" * 8 + "00" * 8}
    assert against(ENCLAVE, sgx=[{"mr_enclave": "11" * 32, "attributes": mask}]).accepted
    other = ENCLAVE.replace(attributes=bytes.fromhex("8500000000000000e700000000000000"))
    assert failed(against(other, sgx=[{"mr_enclave": "11" * 32, "attributes": mask}])) == ["attributes"]


@pytest.mark.parametrize("given", [{}, {"rt_mr1": "61" * 48}, {"rt_mr2": "62" * 48}])
def test_firmware_alone_does_not_vouch_for_what_it_started(given: dict[str, Any]) -> None:
    result = against(TD, tdx=[{"mr_td": "44" * 48, **given}])
    assert result.accepted
    assert notes(result) == ["boot_chain"]
    assert (result.trust_vector.executables, result.tier) == (0, Tier.NONE)


def test_no_reference_value_for_this_tee() -> None:
    result = against(TD, sgx=[SGX])
    assert failed(result) == ["reference_values"]
    assert result.reasons == ("no reference value for tdx",)
    assert result.trust_vector.executables == 33
    assert failed(against(ENCLAVE, tdx=[TDX])) == ["reference_values"]
