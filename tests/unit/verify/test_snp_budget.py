"""Signatures checked per SNP verification: four cold, two for a new platform, one for a known one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.errors import EAAError, SignatureError
from eaa.verify.snp import SnpMemo
from tests.fakes.amd_vendor import (
    NOW,
    SNP_KINDS,
    SnpCase,
    SnpKind,
    make_amd_vendor,
    make_snp_guest,
    shared_snp_case,
    snp_case,
    verify_snp,
)
from tests.unit.verify.test_signature_budget import counted

COLD, NEW_PLATFORM, WARM = 4, 2, 1


def signatures(case: SnpCase, memo: SnpMemo) -> int:
    with counted() as asked:
        verify_snp(case, memo=memo)
    assert set(asked) <= {"verify_rsa_pss", "_Key.verifies"}
    return len(asked)


@pytest.mark.parametrize("kind", SNP_KINDS)
def test_cold_then_warm(kind: SnpKind) -> None:
    case, memo = shared_snp_case(kind), SnpMemo(4)
    assert [signatures(case, memo) for _ in range(3)] == [COLD, WARM, WARM]


def test_a_new_platform_under_a_known_ask() -> None:
    vendor, memo = make_amd_vendor(), SnpMemo(4)
    one, two = (snp_case(SimulatedSnpGuest(SimulatedSnpPlatform(vendor, name=n))) for n in ("one", "two"))
    counts = [signatures(case, memo) for case in (one, two, one, two)]
    assert counts == [COLD, NEW_PLATFORM, WARM, WARM]


def test_without_a_memo_of_earlier_calls_everything_is_checked() -> None:
    assert [signatures(shared_snp_case("milan-v5"), SnpMemo(4)) for _ in range(2)] == [COLD, COLD]


def test_a_known_platforms_report_is_still_checked() -> None:
    guest, memo = make_snp_guest(), SnpMemo(4)
    signatures(snp_case(guest), memo)
    guest.report_signing_key = guest.platform.vlek.key
    with pytest.raises(SignatureError):
        verify_snp(guest, memo=memo)


def test_another_list_ask_or_anchor_is_checked_anew() -> None:
    guest, memo = make_snp_guest(), SnpMemo(8)
    signatures(snp_case(guest), memo)
    guest.platform.vendor.crl.number += 1
    assert signatures(snp_case(guest), memo) == COLD
    guest.platform.vendor.ask.not_after += timedelta(days=1)
    assert signatures(snp_case(guest), memo) == COLD
    guest.platform.vendor.ark.not_after += timedelta(days=1)
    assert signatures(snp_case(guest), memo) == COLD


def refused(code: str, case: SnpCase, memo: SnpMemo, **options: object) -> None:
    with pytest.raises(EAAError) as caught:
        verify_snp(case, memo=memo, **options)  # type: ignore[arg-type]  # options by name
    assert caught.value.code == code


def test_what_is_asked_at_each_call_is_asked_of_what_is_known() -> None:
    guest, memo = make_snp_guest(), SnpMemo(4)
    case = snp_case(guest)
    verify_snp(case, memo=memo)
    refused("validity_period.crl_expired", case, memo, now=NOW + timedelta(days=30))
    refused("chain.untrusted_root", case, memo, trust_anchors=())
    without = replace(case, endorsements=replace(case.endorsements, crl=None))
    verify_snp(without, memo=memo, allow_missing_crl=True)
    refused("endorsement_not_found.crl", without, memo)
    refused(
        "endorsement_not_found.vcek", replace(case, endorsements=replace(case.endorsements, vek=None)), memo
    )


def test_a_failure_is_not_remembered() -> None:
    guest, memo = make_snp_guest(), SnpMemo(4)
    guest.platform.vendor.crl.revoked = [guest.platform.vendor.ask.serial]
    refused("revoked.ask", snp_case(guest), memo)
    assert len(memo) == 0


def test_what_is_too_large_is_verified_and_not_remembered() -> None:
    guest, memo = make_snp_guest(), SnpMemo(4)
    guest.platform.vcek.extra_extensions = [("1.3.6.1.4.1.99999.2", False, bytes(20 * 1024))]
    guest.platform.vendor.crl.extra_extensions = [("1.3.6.1.4.1.99999.2", False, bytes(80 * 1024))]
    case = snp_case(guest)
    assert [signatures(case, memo) for _ in range(2)] == [COLD, COLD]
    guest.platform.vendor.crl.extra_extensions = []
    case = snp_case(guest)
    assert [signatures(case, memo) for _ in range(2)] == [COLD, NEW_PLATFORM]
