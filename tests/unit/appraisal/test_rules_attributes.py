"""Rules about attributes of enclaves and TDs: each fails alone."""

from __future__ import annotations

import pytest

from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import Alternative, Pattern, Pin, ReferenceValues, parse_reference_values
from eaa.appraisal.result import AttestationResult
from eaa.appraisal.trust_vector import Tier
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport
from tests.unit.appraisal.samples import ENCLAVE, TD, TD15, failed, judge, notes, outcome, verified


def enclave(flags: int) -> EnclaveReport:
    return ENCLAVE.replace(attributes=flags.to_bytes(8, "little") + ENCLAVE.attributes[8:])


def td(attributes: int) -> TdReport:
    return TD.replace(td_attributes=attributes.to_bytes(8, "little"))


SEPT_VE_DISABLE = 1 << 28


@pytest.mark.parametrize("report", [ENCLAVE, TD, TD15])
def test_ordinary(report: EnclaveReport | TdReport) -> None:
    result = judge(verified(report))
    assert result.accepted
    assert (result.trust_vector.configuration, result.trust_vector.runtime_opaque) == (3, 2)


@pytest.mark.parametrize("report", [enclave(0x07), *(td(SEPT_VE_DISABLE | 1 << bit) for bit in (0, 4, 5, 6))])
def test_debug(report: EnclaveReport | TdReport) -> None:
    result = judge(verified(report))
    assert failed(result) == ["debug"]
    assert result.tier is Tier.CONTRAINDICATED
    allowed = judge(verified(report), Policy(allow_debug=True))
    assert allowed.accepted
    assert "debug" in notes(allowed)
    assert allowed.trust_vector.runtime_opaque == 96
    assert allowed.tier is Tier.CONTRAINDICATED


def test_allow_debug_does_not_mind_its_absence() -> None:
    assert outcome(judge(verified(), Policy(allow_debug=True)), "debug").verdict == "pass"


def test_enclave_not_initialised() -> None:
    result = judge(verified(enclave(0x04)))
    assert failed(result) == ["initialized"]
    assert result.trust_vector.configuration == 96
    assert outcome(judge(verified(enclave(0))), "initialized").came == "none"


@pytest.mark.parametrize("bit", [3, 8, 9, 11, 31, 32, 63])
@pytest.mark.parametrize("allow_debug", [False, True])
def test_enclave_attributes_unknown(bit: int, allow_debug: bool) -> None:
    result = judge(verified(enclave(0x05 | 1 << bit)), Policy(allow_debug=allow_debug))
    assert failed(result) == ["attributes_unknown"]
    assert f"BIT_{bit}" in result.reasons[0]


@pytest.mark.parametrize(("bit", "name"), [(4, "PROVISION_KEY"), (5, "EINITTOKEN_KEY")])
def test_enclave_with_keys_of_the_platform_is_noted(bit: int, name: str) -> None:
    result = judge(verified(enclave(0x05 | 1 << bit)))
    assert result.accepted
    assert "privileged_keys" in notes(result)
    assert result.reasons[0].endswith(name)


@pytest.mark.parametrize("bit", [1, 2, 3, 7])
@pytest.mark.parametrize("allow_debug", [False, True])
def test_td_debug_bits_of_unknown_meaning(bit: int, allow_debug: bool) -> None:
    result = judge(verified(td(SEPT_VE_DISABLE | 1 << bit)), Policy(allow_debug=allow_debug))
    assert failed(result) == [*([] if allow_debug else ["debug"]), "td_attributes_unknown"]


@pytest.mark.parametrize("bit", [8, 15, 26, 32, 61])
@pytest.mark.parametrize("allow_debug", [False, True])
def test_td_attributes_unknown(bit: int, allow_debug: bool) -> None:
    report = td(SEPT_VE_DISABLE | 1 << bit)
    result = judge(verified(report), Policy(allow_debug=allow_debug))
    assert failed(result) == ["td_attributes_unknown"]
    assert f"BIT_{bit}" in result.reasons[0]
    # Nor can they be approved by a value that was copied from the quote.
    pinned = pin(report, f'"td_attributes":"{report.td_attributes.hex()}"')
    assert failed(pinned) == ["td_attributes_unknown"]


@pytest.mark.parametrize("bit", [16, 27, 30, 31, 62, 63])
def test_td_attributes_known_and_harmless(bit: int) -> None:
    assert judge(verified(td(SEPT_VE_DISABLE | 1 << bit))).accepted


def pin(report: TdReport, member: str) -> AttestationResult:
    data = f'{{"version":1,"tdx":[{{"mr_td":"{report.mr_td.hex()}",{member}}}]}}'
    return judge(verified(report), Policy(reference_values=parse_reference_values(data.encode())))


@pytest.mark.parametrize(
    ("attributes", "rule"), [(0, "sept_ve_disable"), (SEPT_VE_DISABLE | 1 << 29, "migratable")]
)
def test_attributes_that_only_reference_values_can_approve(attributes: int, rule: str) -> None:
    report = td(attributes)
    value = report.td_attributes.hex()
    assert failed(judge(verified(report))) == [rule]
    assert failed(judge(verified(report), Policy(allow_debug=True))) == [rule]
    assert failed(pin(report, f'"td_attributes":"{value}"')) == []
    # A mask that leaves the bit out approves nothing.
    mask = '"ffffff0000000000"'
    assert failed(pin(report, f'"td_attributes":{{"value":"{"00" * 8}","mask":{mask}}}')) == [rule]
    # Nor does another value of the list, or another field.
    both = f'["0000001000000000",{{"value":"{"00" * 8}","mask":{mask}}}]'
    assert failed(pin(report, f'"td_attributes":{both}')) == [rule]
    assert failed(pin(report, f'"xfam":"{report.xfam.hex()}"')) == [rule]


def test_a_value_that_is_not_met_approves_nothing() -> None:
    assert failed(pin(td(0), '"td_attributes":"0000001000000000"')) == ["sept_ve_disable", "td_attributes"]


def test_service_td() -> None:
    report = TD15.replace(mr_service_td=b"\x77" * 48)
    result = judge(verified(report))
    assert failed(result) == ["service_td"]
    assert result.trust_vector.configuration == 36
    assert failed(pin(report, f'"mr_service_td":"{"77" * 48}"')) == []
    assert failed(pin(report, f'"mr_service_td":"{"78" * 48}"')) == ["service_td", "mr_service_td"]


def test_a_service_td_is_approved_by_its_whole_measurement_only() -> None:
    """JSON has no mask for it; built by hand there can be one."""
    pins = (
        Pin("mr_td", (Pattern(TD15.mr_td, b"\xff" * 48),)),
        Pin("mr_service_td", (Pattern(b"\x77" + bytes(47), b"\xff" + bytes(47)),)),
    )
    policy = Policy(reference_values=ReferenceValues((Alternative("tdx", pins),)))
    assert failed(judge(verified(TD15.replace(mr_service_td=b"\x77" * 48)), policy)) == ["service_td"]


def test_a_report_of_tdx_1_0_has_no_service_td() -> None:
    result = pin(TD, f'"mr_service_td":"{"00" * 48}"')
    assert failed(result) == ["mr_service_td"]
    assert outcome(result, "mr_service_td").came == "not in this report"
