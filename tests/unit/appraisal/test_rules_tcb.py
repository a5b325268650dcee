"""Rules about the platform: each fails alone, and at its boundary."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from eaa.appraisal.policy import Policy
from eaa.appraisal.trust_vector import Tier
from eaa.endorsements.tcb import TcbStatus
from eaa.verify.tcb import ComponentTcb
from tests.unit.appraisal.samples import (
    NOW,
    TCB,
    TD15,
    UP_TO_DATE,
    failed,
    judge,
    notes,
    outcome,
    tcb_of,
    verified,
)

S = TcbStatus
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def part(status: TcbStatus, days: float = 30) -> ComponentTcb:
    """A part whose level is of ``days`` before now."""
    return ComponentTcb(status, NOW - days * DAY, ())


def test_up_to_date() -> None:
    result = judge(verified())
    assert failed(result) == []
    assert outcome(result, "tcb_status").message == "tcb.status is UpToDate"
    assert result.trust_vector.hardware == 2


@pytest.mark.parametrize("status", [status for status in S if status is not S.UP_TO_DATE])
def test_any_other_status_is_refused_by_default(status: TcbStatus) -> None:
    result = judge(verified(tcb=tcb_of(status, platform=part(status))))
    assert failed(result) == ["tcb_status"]
    assert result.code == "appraisal.tcb_status"
    assert result.reasons[0] == f"the TCB status is {status}, accepted: UpToDate"
    assert result.trust_vector.hardware == (96 if status is S.REVOKED else 32)


@pytest.mark.parametrize("status", [status for status in S if status is not S.REVOKED])
def test_an_accepted_status_is_accepted_and_stays_a_warning(status: TcbStatus) -> None:
    policy = Policy(accepted_statuses=frozenset({status, S.UP_TO_DATE}))
    result = judge(verified(tcb=tcb_of(status)), policy)
    assert result.accepted
    assert outcome(result, "tcb_status").verdict == "pass"
    if status is not S.UP_TO_DATE:
        assert outcome(result, "tcb_status").expected == f"UpToDate or {status}"
        assert result.tier is Tier.WARNING


def test_grace_ends_to_the_second() -> None:
    evidence = verified(tcb=tcb_of(S.OUT_OF_DATE, platform=part(S.OUT_OF_DATE, 30)))
    policy = Policy(grace_days=30)
    within = judge(evidence, policy)
    assert within.accepted
    assert "tcb_status" in notes(within)
    assert within.reasons[0].endswith("; tolerated within the grace of 30 days after 2025-01-30T00:00:00Z")
    assert within.tier is Tier.WARNING
    over = judge(evidence, policy, now=NOW + SECOND)
    assert failed(over) == ["tcb_status"]
    assert over.reasons[0].endswith("; the grace of 30 days after 2025-01-30T00:00:00Z is over")


@pytest.mark.parametrize("late", ["platform", "tdx_module", "qe"])
def test_grace_must_cover_each_part_that_is_out_of_date(late: str) -> None:
    fresh = {name: part(S.OUT_OF_DATE, 10) for name in ("platform", "tdx_module", "qe")}
    policy = Policy(grace_days=30)
    assert judge(verified(TD15, tcb=tcb_of(S.OUT_OF_DATE, **fresh)), policy).accepted
    old = fresh | {late: part(S.OUT_OF_DATE, 31)}
    assert failed(judge(verified(TD15, tcb=tcb_of(S.OUT_OF_DATE, **old)), policy)) == ["tcb_status"]


def test_the_date_of_a_part_that_is_up_to_date_does_not_count() -> None:
    tcb = tcb_of(S.OUT_OF_DATE, platform=UP_TO_DATE, qe=part(S.OUT_OF_DATE, 10))
    assert judge(verified(tcb=tcb), Policy(grace_days=30)).accepted


@pytest.mark.parametrize(
    ("status", "platform", "accepted", "good"),
    [
        (S.OUT_OF_DATE, S.OUT_OF_DATE, {S.UP_TO_DATE}, True),
        (S.OUT_OF_DATE, S.OUT_OF_DATE, {S.SW_HARDENING_NEEDED}, False),
        # The quoting enclave is late, on top of what the platform is itself.
        (S.OUT_OF_DATE, S.SW_HARDENING_NEEDED, {S.UP_TO_DATE}, False),
        (S.OUT_OF_DATE, S.SW_HARDENING_NEEDED, {S.UP_TO_DATE, S.SW_HARDENING_NEEDED}, True),
        # Grace excuses lateness, not configuration.
        (S.OUT_OF_DATE_CONFIGURATION_NEEDED, S.OUT_OF_DATE_CONFIGURATION_NEEDED, {S.UP_TO_DATE}, False),
        (
            S.OUT_OF_DATE_CONFIGURATION_NEEDED,
            S.OUT_OF_DATE_CONFIGURATION_NEEDED,
            {S.UP_TO_DATE, S.CONFIGURATION_NEEDED},
            True,
        ),
        (
            S.OUT_OF_DATE_CONFIGURATION_NEEDED,
            S.CONFIGURATION_AND_SW_HARDENING_NEEDED,
            {S.UP_TO_DATE, S.CONFIGURATION_AND_SW_HARDENING_NEEDED},
            True,
        ),
        (S.TD_RELAUNCH_ADVISED, S.UP_TO_DATE, {S.UP_TO_DATE}, True),
        (S.TD_RELAUNCH_ADVISED, S.SW_HARDENING_NEEDED, {S.UP_TO_DATE}, False),
        (S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED, S.OUT_OF_DATE, {S.UP_TO_DATE}, False),
        (
            S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
            S.OUT_OF_DATE,
            {S.UP_TO_DATE, S.CONFIGURATION_NEEDED},
            True,
        ),
        (S.REVOKED, S.UP_TO_DATE, {S.UP_TO_DATE}, False),
        (S.REVOKED, S.REVOKED, {S.UP_TO_DATE}, False),
        (S.CONFIGURATION_NEEDED, S.UP_TO_DATE, {S.UP_TO_DATE}, False),
    ],
)
def test_grace_excuses_lateness_only(
    status: TcbStatus, platform: TcbStatus, accepted: set[TcbStatus], good: bool
) -> None:
    tcb = tcb_of(status, platform=part(platform), tdx_module=part(S.OUT_OF_DATE), qe=part(S.OUT_OF_DATE))
    policy = Policy(accepted_statuses=frozenset(accepted), grace_days=30)
    assert failed(judge(verified(TD15, tcb=tcb), policy)) == ([] if good else ["tcb_status"])


def test_no_grace_where_no_part_is_late() -> None:
    """Verification never says so; if it did, there would be no date to count from."""
    assert failed(judge(verified(tcb=tcb_of(S.OUT_OF_DATE)), Policy(grace_days=3650))) == ["tcb_status"]


def test_no_date_is_too_far_away() -> None:
    ancient = ComponentTcb(S.OUT_OF_DATE, datetime.min.replace(tzinfo=UTC), ())
    last = ComponentTcb(S.OUT_OF_DATE, datetime.max.replace(tzinfo=UTC), ())
    policy = Policy(grace_days=3650)
    assert not judge(verified(tcb=tcb_of(S.OUT_OF_DATE, platform=ancient)), policy).accepted
    assert judge(verified(tcb=tcb_of(S.OUT_OF_DATE, platform=last)), policy).accepted


def test_endorsements_may_expire_between_verification_and_appraisal() -> None:
    evidence = verified()
    assert judge(evidence, now=evidence.endorsements_expire).accepted
    result = judge(evidence, now=evidence.endorsements_expire + SECOND)
    assert failed(result) == ["endorsements"]
    assert "expired at 2025-03-21T00:00:00Z" in result.reasons[0]


def test_evaluation_data_number() -> None:
    assert judge(verified(), Policy(min_evaluation_data_number=18)).accepted
    result = judge(verified(), Policy(min_evaluation_data_number=19))
    assert failed(result) == ["evaluation_data_number"]
    assert outcome(result, "evaluation_data_number").expected == "at least 19"
    assert result.tier is Tier.WARNING


def test_advisories() -> None:
    tcb = dataclasses.replace(TCB, advisory_ids=("INTEL-SA-00615", "INTEL-SA-00837"))
    other = judge(verified(tcb=tcb), Policy(refused_advisories=frozenset({"INTEL-SA-00001"})))
    assert other.accepted
    assert outcome(other, "advisories").came == "INTEL-SA-00615, INTEL-SA-00837"
    result = judge(
        verified(tcb=tcb), Policy(refused_advisories=frozenset({"INTEL-SA-00837", "INTEL-SA-00001"}))
    )
    assert failed(result) == ["advisories"]
    assert result.reasons[0] == "refused advisories apply to the platform: INTEL-SA-00837"
    clean = judge(verified(), Policy(refused_advisories=frozenset({"INTEL-SA-00837"})))
    assert outcome(clean, "advisories").came == "none"


def test_rules_that_were_not_asked_for_do_not_appear() -> None:
    assert {"evaluation_data_number", "advisories"}.isdisjoint(item.rule for item in judge(verified()).rules)


def test_grace_counts_from_the_recovery_that_the_part_lacks() -> None:
    old = ComponentTcb(S.OUT_OF_DATE, NOW - 900 * DAY, (), superseded_at=NOW - 30 * DAY)
    evidence = verified(tcb=tcb_of(S.OUT_OF_DATE, platform=old))
    assert judge(evidence, Policy(grace_days=30)).accepted
    assert failed(judge(evidence, Policy(grace_days=29))) == ["tcb_status"]
