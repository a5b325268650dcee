"""Level selection and convergence, apart from signatures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.tcb_info import IsvTcbLevel
from eaa.errors import EndorsementError
from eaa.verify.tcb import ComponentTcb, converge, isv_level

S = TcbStatus
LEVELS = tuple(
    IsvTcbLevel(svn, datetime(year, 1, 1, tzinfo=UTC), status, ())
    for svn, year, status in ((8, 2025, S.UP_TO_DATE), (6, 2024, S.OUT_OF_DATE), (5, 2022, S.OUT_OF_DATE))
)


def test_the_highest_level_that_is_met() -> None:
    assert [isv_level(LEVELS, svn, "enclave", "qe").isv_svn for svn in (5, 6, 7, 8, 9)] == [5, 6, 6, 8, 8]
    with pytest.raises(EndorsementError, match="ISVSVN 4, the lowest is 5") as caught:
        isv_level(LEVELS, 4, "enclave", "qe")
    assert caught.value.code == "endorsement.qe_tcb_level_not_found"


def test_superseded_by_the_first_later_recovery() -> None:
    dates = [ComponentTcb.of(level, LEVELS).superseded_at for level in LEVELS]
    assert dates == [None, datetime(2025, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize("status", list(S))
def test_convergence(status: TcbStatus) -> None:
    assert converge(status, S.UP_TO_DATE) is status
    assert converge(status, S.REVOKED) is S.REVOKED
    expected = {
        S.UP_TO_DATE: S.OUT_OF_DATE,
        S.SW_HARDENING_NEEDED: S.OUT_OF_DATE,
        S.CONFIGURATION_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
        S.CONFIGURATION_AND_SW_HARDENING_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
    assert converge(status, S.OUT_OF_DATE) is expected.get(status, status)
