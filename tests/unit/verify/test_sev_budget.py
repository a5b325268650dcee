"""Signatures checked per SEV verification: six cold, seven with a PDH, one for a known platform."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eaa.attester.simulated.sev_vendor import SimulatedSevGuest, SimulatedSevPlatform
from eaa.errors import EAAError
from eaa.verify.sev import SevMemo
from tests.fakes.sev_vendor import (
    SEV_KINDS,
    SevCase,
    SevKind,
    make_sev_guest,
    make_sev_vendor,
    sev_case,
    shared_sev_case,
    verify_sev,
)
from tests.unit.verify.test_signature_budget import counted

COLD, COLD_WITH_PDH, NEW_PLATFORM, WARM = 6, 7, 6, 1


def signatures(case: SevCase, memo: SevMemo) -> int:
    with counted() as asked:
        verify_sev(case, memo=memo)
    assert set(asked) <= {"verify_sev_rsa", "verify_sev_ecdsa"}
    return len(asked)


@pytest.mark.parametrize("kind", SEV_KINDS)
def test_cold_then_warm(kind: SevKind) -> None:
    case, memo = shared_sev_case(kind), SevMemo(4)
    assert [signatures(case, memo) for _ in range(3)] == [COLD_WITH_PDH, WARM, WARM]


def test_without_a_pdh() -> None:
    case = shared_sev_case("naples")
    without = replace(case, endorsements=replace(case.endorsements, pdh=None))
    assert signatures(without, SevMemo(4)) == COLD


def test_a_new_platform_under_a_known_ask() -> None:
    vendor, memo = make_sev_vendor(), SevMemo(4)
    one, two = (sev_case(SimulatedSevGuest(SimulatedSevPlatform(vendor, name=n))) for n in ("one", "two"))
    counts = [signatures(case, memo) for case in (one, two, one, two)]
    assert counts == [COLD_WITH_PDH, NEW_PLATFORM, WARM, WARM]


def test_what_is_asked_at_each_call_is_asked_of_what_is_known() -> None:
    case, memo = shared_sev_case("naples"), SevMemo(4)
    verify_sev(case, memo=memo)
    for code, options in (
        ("chain.untrusted_root", {"trust_anchors": ()}),
        ("binding.mnonce", {"mnonce": bytes(16)}),
    ):
        with pytest.raises(EAAError) as caught:
            verify_sev(case, memo=memo, **options)
        assert caught.value.code == code


def test_a_failure_is_not_remembered() -> None:
    guest, memo = make_sev_guest(), SevMemo(4)
    guest.platform.vendor.ask.certifying_id = bytes(16)
    with pytest.raises(EAAError):
        verify_sev(guest, memo=memo)
    assert len(memo) == 0
