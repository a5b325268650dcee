"""The result as a whole: collected, coded, explained, required."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from eaa.appraisal.appraise import appraise, require
from eaa.appraisal.policy import Policy
from eaa.appraisal.reference_values import parse_reference_values
from eaa.appraisal.trust_vector import Tier
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import AppraisalDenied, UsageError
from tests.unit.appraisal.samples import ENCLAVE, NOW, TD, failed, judge, notes, tcb_of, verified

VALUES = parse_reference_values(b'{"version":1,"sgx":[{"mr_enclave":"%b"}]}' % (b"11" * 32))
NOT_COMPARED = "no measurement was compared: no reference values were given"


def test_without_reference_values_it_may_be_accepted_and_is_not_affirmed() -> None:
    for report in (ENCLAVE, TD):
        result = judge(verified(report))
        assert result.accepted
        assert result.code == "accepted"
        assert result.reasons == (NOT_COMPARED,)
        assert result.trust_vector.executables == 0
        assert result.tier is Tier.NONE


def test_with_them_it_is_affirmed() -> None:
    result = judge(verified(), Policy(reference_values=VALUES))
    assert (result.accepted, result.tier, result.reasons) == (True, Tier.AFFIRMING, ())


def test_without_a_challenge_freshness_is_not_established() -> None:
    result = judge(verified(bound=("config_id",)), Policy(reference_values=VALUES))
    assert result.accepted
    assert notes(result) == ["freshness"]
    assert result.reasons[0].startswith("freshness not established")


def test_everything_wrong_is_collected_in_order() -> None:
    report = ENCLAVE.replace(mr_enclave=bytes(32), attributes=bytes.fromhex("0a" + "00" * 15))
    policy = Policy(min_evaluation_data_number=99, reference_values=VALUES)
    result = judge(verified(report, tcb=tcb_of(TcbStatus.REVOKED), bound=()), policy)
    assert failed(result) == [
        "tcb_status",
        "evaluation_data_number",
        "debug",
        "initialized",
        "attributes_unknown",
        "mr_enclave",
    ]
    assert result.code == "appraisal.tcb_status"
    assert len(result.reasons) == 7
    assert result.reasons[-1].startswith("freshness")
    assert result.tier is Tier.CONTRAINDICATED


def test_require_returns_what_is_accepted() -> None:
    result = judge(verified())
    assert require(result) is result


def test_require_raises_for_the_first_and_names_all() -> None:
    result = judge(verified(tcb=tcb_of(TcbStatus.OUT_OF_DATE)), Policy(min_evaluation_data_number=19))
    with pytest.raises(AppraisalDenied) as raised:
        require(result)
    assert raised.value.code == result.code == "appraisal.tcb_status"
    assert raised.value.result is result
    assert str(raised.value) == "; ".join(item.message for item in result.failed)
    assert NOT_COMPARED not in str(raised.value)


def test_the_time_must_be_aware() -> None:
    with pytest.raises(UsageError) as raised:
        appraise(verified(), Policy(), now=datetime(2025, 3, 1))  # noqa: DTZ001 - the case
    assert raised.value.code == "usage.naive_datetime"


def test_the_result_keeps_what_it_rests_on() -> None:
    evidence, policy = verified(), Policy(grace_days=3)
    result = judge(evidence, policy)
    assert (result.verified, result.policy, result.appraised_at) == (evidence, policy, NOW)


def test_as_json() -> None:
    document = judge(verified(ENCLAVE.replace(isv_svn=7)), Policy(reference_values=VALUES)).to_dict()
    assert document["ear.status"] == "affirming"
    assert document["ear.trustworthiness-vector"] == {
        "instance-identity": 0,
        "configuration": 3,
        "executables": 3,
        "file-system": 0,
        "hardware": 2,
        "runtime-opaque": 2,
        "storage-opaque": 0,
        "sourced-data": 0,
    }
    assert document["ear.eaa.appraisal"]["accepted"] is True
    assert document["ear.eaa.appraisal"]["code"] == "accepted"
    assert document["ear.eaa.appraisal"]["rules"][1]["rule"] == "tcb_status"
    assert document["ear.eaa.claims"]["isv_svn"] == 7
    assert json.loads(json.dumps(document)) == document
