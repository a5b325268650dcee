"""Signatures checked per CSV verification: four cold, three for a new platform, one for a known one.

Counted by the interpreter's own report of calls into GmSSL.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from eaa.attester.simulated.hygon_vendor import SimulatedCsvGuest, SimulatedCsvPlatform
from eaa.errors import EAAError
from eaa.verify.hygon_csv import CsvMemo
from tests.fakes.hygon_vendor import (
    CSV_KINDS,
    CsvCase,
    CsvKind,
    csv_case,
    make_csv_guest,
    shared_csv_case,
    sm2_key,
    verify_csv,
)

COLD, NEW_PLATFORM, WARM = 4, 3, 1


def signatures(case: CsvCase, memo: CsvMemo) -> int:
    asked: list[str] = []

    def on_call(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__name__", "").startswith("sm2_verify"):
            asked.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(on_call)
    try:
        verify_csv(case, memo=memo)
    finally:
        sys.setprofile(before)
    assert set(asked) <= {"verify_sm2"}
    return len(asked)


@pytest.mark.parametrize("kind", CSV_KINDS)
def test_cold_then_warm(kind: CsvKind) -> None:
    case, memo = shared_csv_case(kind), CsvMemo(4)
    assert [signatures(case, memo) for _ in range(3)] == [COLD, WARM, WARM]


def test_a_new_platform_under_a_known_hsk() -> None:
    one, memo = make_csv_guest(), CsvMemo(4)
    two = SimulatedCsvGuest(
        SimulatedCsvPlatform(one.platform.vendor, cek=sm2_key("cek 2"), pek=sm2_key("pek 2"))
    )
    first, second = csv_case(one), csv_case(two)
    counts = [signatures(case, memo) for case in (first, second, first, second)]
    assert counts == [COLD, NEW_PLATFORM, WARM, WARM]


def test_an_anchor_that_is_no_longer_named() -> None:
    case, memo = shared_csv_case("csv3-v1"), CsvMemo(4)
    verify_csv(case, memo=memo)
    with pytest.raises(EAAError) as caught:
        verify_csv(case, memo=memo, trust_anchors=())
    assert caught.value.code == "chain.untrusted_root"
    assert len(memo) == 1
