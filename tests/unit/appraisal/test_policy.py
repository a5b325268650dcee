"""Policy: defaults, and what its constructor refuses."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.appraisal.policy import MAX_GRACE_DAYS, Policy
from eaa.appraisal.policy_snp import SnpPolicy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import UsageError
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion


def test_defaults_are_strict() -> None:
    policy = Policy()
    assert policy.accepted_statuses == {TcbStatus.UP_TO_DATE}
    assert (policy.grace_days, policy.min_evaluation_data_number) == (0, None)
    assert policy.refused_advisories == frozenset()
    assert policy.allow_debug is False
    assert policy.reference_values is None


def test_all_fields_given() -> None:
    values = parse_reference_values(b'{"version":1,"tdx":[{"mr_td":"%b"}]}' % (b"44" * 48))
    policy = Policy(
        accepted_statuses=frozenset({TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE}),
        grace_days=MAX_GRACE_DAYS,
        min_evaluation_data_number=0,
        refused_advisories=frozenset({"INTEL-SA-00837", "INTEL-SA-00615"}),
        allow_debug=True,
        reference_values=values,
    )
    assert policy.reference_values is values


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accepted_statuses", frozenset()),
        ("accepted_statuses", frozenset({TcbStatus.UP_TO_DATE, TcbStatus.REVOKED})),
        ("accepted_statuses", frozenset({"UpToDate"})),
        ("accepted_statuses", [TcbStatus.UP_TO_DATE]),
        ("grace_days", -1),
        ("grace_days", MAX_GRACE_DAYS + 1),
        ("grace_days", 1.5),
        ("grace_days", True),
        ("min_evaluation_data_number", -1),
        ("min_evaluation_data_number", 1 << 32),
        ("min_evaluation_data_number", "18"),
        ("refused_advisories", "INTEL-SA-00837"),
        ("refused_advisories", frozenset({"intel-sa-00837"})),
        ("refused_advisories", frozenset({"INTEL-SA-837"})),
        ("refused_advisories", frozenset({"INTEL-SA-00837 "})),
        ("refused_advisories", frozenset({""})),
        ("refused_advisories", frozenset({837})),
        ("allow_debug", 1),
        ("snp", None),
        ("reference_values", {"version": 1}),
    ],
)
def test_refuses_nonsense(field: str, value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        Policy(**{field: value})
    assert raised.value.code == f"usage.policy_{field}"
    assert f"policy: {field}:" in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accepted_advisories", "AMD-SB-3027"),
        ("accepted_advisories", frozenset({"amd-sb-3027"})),
        ("accepted_advisories", frozenset({3027})),
        ("minimum_tcb", ((SnpProduct.MILAN, TcbVersion(4, 0, 27, 219, 1)),)),
        ("minimum_tcb", ((SnpProduct.TURIN, TcbVersion(4, 0, 27, 219)),)),
        ("minimum_tcb", ((SnpProduct.MILAN, TcbVersion(4, 0, 256, 219)),)),
        ("minimum_tcb", ((SnpProduct.MILAN, TcbVersion(4, 0, 27, 219)),) * 2),
        ("allow_provisional_firmware", 1),
        ("require_vcek", "yes"),
        ("allow_masked_chip_id", None),
        ("required_guest_policy", frozenset({"DEBUG"})),
        ("required_guest_policy", ["SMT"]),
        ("required_guest_policy", frozenset({"MIGRATE_MA"})),  # which is refused
        ("refused_guest_policy", frozenset({"smt"})),
        ("required_platform_info", frozenset({"SMT"})),
        ("refused_platform_info", "SMT_EN"),
        ("minimum_abi", (1, 256)),
        ("max_vmpl", 4),
        ("max_vmpl", True),
        ("required_mitigations", -1),
        ("required_mitigations", 1 << 64),
    ],
)
def test_refused_of_snp(field: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        SnpPolicy(**{field: value})
    assert caught.value.code == f"usage.policy_{field}"
    assert caught.value.fields["field"] == field


def test_what_may_be_asked_of_snp() -> None:
    tcb = TcbVersion(4, 0, 2, 97, 1)
    policy = SnpPolicy(minimum_tcb=((SnpProduct.TURIN, tcb),), minimum_abi=(1, 55), max_vmpl=3)
    assert policy.minimum_of(SnpProduct.TURIN) == tcb
    assert policy.minimum_of(SnpProduct.MILAN) is None
