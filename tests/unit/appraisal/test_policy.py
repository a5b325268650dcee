"""Policy: defaults, and what its constructor refuses."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.appraisal.policy import MAX_GRACE_DAYS, Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import UsageError


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
        ("reference_values", {"version": 1}),
    ],
)
def test_refuses_nonsense(field: str, value: Any) -> None:
    with pytest.raises(UsageError) as raised:
        Policy(**{field: value})
    assert raised.value.code == f"usage.policy_{field}"
    assert f"policy: {field}:" in str(raised.value)
