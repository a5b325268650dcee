"""Memo, windows and claims, apart from a whole verification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eaa.attester.simulated import SimulatedPlatform
from eaa.endorsements.tcb import TcbStatus
from eaa.errors import EndorsementNotFound, UsageError, ValidityPeriodError
from eaa.verify.dcap import Memo
from eaa.verify.memo import BoundedMemo
from eaa.verify.windows import Window, Windows
from tests.fakes.vendor import KINDS, Kind, evidence_of, make_attester, make_vendor, shared_evidence, verify

DAY = timedelta(days=1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_oldest_goes_at_the_bound() -> None:
    memo: BoundedMemo[int] = BoundedMemo(2)
    for key in range(3):
        memo.put(key, key)
    assert (len(memo), memo.get(0), memo.get(1), memo.get(2)) == (2, None, 1, 2)
    memo.put(1, 9)
    assert (len(memo), memo.get(1), memo.get(2)) == (2, 9, 2)
    with pytest.raises(UsageError, match="at least one value"):
        BoundedMemo(0)


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (T0 - DAY, "validity_period.a_not_yet_valid"),
        (T0 + DAY - timedelta(seconds=1), "validity_period.b_not_yet_valid"),
        (T0 + 9 * DAY + timedelta(seconds=1), "validity_period.b_expired"),
        (T0 + 99 * DAY, "validity_period.b_expired"),
    ],
)
def test_windows_name_what_is_closed(now: datetime, code: str) -> None:
    windows = Windows.of((Window("A", "a", T0, T0 + 10 * DAY), Window("B", "b", T0 + DAY, T0 + 9 * DAY)))
    with pytest.raises(ValidityPeriodError) as caught:
        windows.require(now)
    assert caught.value.code == code
    for edge in (T0 + DAY, T0 + 9 * DAY):
        windows.require(edge)


@pytest.mark.parametrize("kind", KINDS)
def test_claims_have_every_field_of_the_report(kind: Kind) -> None:
    verified = verify(shared_evidence(kind))
    claims = verified.claims
    names = {name for name in verified.quote.body.layout() if not name.startswith("reserved")}
    assert names <= claims.keys()
    assert claims["tcb"]["status"] == "UpToDate"
    assert claims["platform"]["fmspc"] == verified.pck.fmspc.hex()
    assert verified.measurement.hex() == claims["mr_enclave" if verified.tee == "sgx" else "mr_td"]
    assert verified.evidence == verified.quote.encode()
    assert claims["trust_anchor"]["name"].startswith("EAA Simulated")
    assert claims["bound"] == ["report_data"]


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity"])
def test_a_document_without_its_issuer_chain(part: str) -> None:
    evidence = evidence_of(make_attester("sgx-v3"))
    document = replace(getattr(evidence.collateral, part), issuer_chain=b"")
    collateral = replace(evidence.collateral, **{part: document})
    with pytest.raises(EndorsementNotFound) as caught:
        verify(replace(evidence, collateral=collateral))
    assert caught.value.code == "endorsement_not_found.issuer_chain"


@pytest.mark.parametrize(("size", "remembered"), [(32, 1), (20_000, 0)])
def test_what_is_unusually_large_is_verified_anew(size: int, remembered: int) -> None:
    attester = make_attester("tdx-v4")
    attester.platform.td_qe.authentication_data = bytes(size)
    evidence, memo = evidence_of(attester), Memo(1)
    for _ in range(2):
        verify(evidence, memo=memo)
    (collateral,) = (memo.get(key) for key in tuple(memo._values))
    assert collateral is not None
    assert len(collateral.platforms) == remembered


@pytest.mark.parametrize(("size", "remembered"), [(1000, 1), (255_000, 0)])
def test_collateral_of_unusual_size_is_verified_anew(size: int, remembered: int) -> None:
    evidence, memo = shared_evidence("tdx-v4"), Memo(1)
    chain = evidence.collateral.pck_crl_issuer_chain
    assert chain is not None
    padded = replace(
        evidence, collateral=replace(evidence.collateral, pck_crl_issuer_chain=chain + b"\n" * size)
    )
    for _ in range(2):
        verify(padded, memo=memo)
    assert len(memo) == remembered


@pytest.mark.parametrize("kind", ["sgx-v3", "tdx-v4"])
def test_each_platform_of_one_collateral_has_its_own_tcb(kind: Kind) -> None:
    vendor, memo = make_vendor(), Memo(1)
    current, behind = (
        make_attester(kind, platform=SimulatedPlatform(vendor, name=name)) for name in ("current", "behind")
    )
    behind.platform.use_level(behind.platform.tcb_info["sgx"].levels[1])
    one, other = evidence_of(current), evidence_of(behind)
    other = replace(other, collateral=one.collateral)
    for _ in range(2):
        assert verify(one, memo=memo).tcb.status is TcbStatus.UP_TO_DATE
        assert verify(other, memo=memo).tcb == verify(other).tcb
        assert verify(other, memo=memo).tcb.status is not TcbStatus.UP_TO_DATE
    assert len(memo) == 1
