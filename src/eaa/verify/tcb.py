"""From SVNs to a TCB status: level selection and convergence as Intel has it [DCAP-QVL §4.1.2.4.17]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import ge

from eaa.endorsements.pck import PckExtension
from eaa.endorsements.tcb import TcbStatus
from eaa.endorsements.tcb_info import IsvTcbLevel, TcbLevel
from eaa.errors import EndorsementError

__all__ = [
    "ComponentTcb",
    "TcbEvaluation",
    "converge",
    "isv_level",
    "select_sgx_level",
    "select_tdx_level",
]


@dataclass(frozen=True, slots=True)
class ComponentTcb:
    """The level that one part of the platform meets.

    ``tcb_date``: the part is not vulnerable to what was published until then. ``superseded_at`` is the
    TCB date of the first recovery after it that the part lacks, ``None`` if it lacks none.
    """

    status: TcbStatus
    tcb_date: datetime
    advisory_ids: tuple[str, ...]  # sorted
    superseded_at: datetime | None = None

    @classmethod
    def of(
        cls, level: TcbLevel | IsvTcbLevel, levels: Sequence[TcbLevel] | Sequence[IsvTcbLevel]
    ) -> ComponentTcb:
        """The part that meets ``level``, of all ``levels`` that are published for it."""
        later = [item.tcb_date for item in levels if item.tcb_date > level.tcb_date]
        return cls(level.status, level.tcb_date, level.advisory_ids, min(later, default=None))


@dataclass(frozen=True, slots=True)
class TcbEvaluation:
    """The TCB of the whole platform and of its parts.

    ``status`` is converged from the parts, ``advisory_ids`` is their union, sorted. ``tcb_date`` is
    that of the platform's level.
    """

    status: TcbStatus
    tcb_date: datetime
    advisory_ids: tuple[str, ...]
    platform: ComponentTcb
    tdx_module: ComponentTcb | None
    qe: ComponentTcb
    tcb_evaluation_data_number: int


def select_sgx_level(levels: Sequence[TcbLevel], pck: PckExtension) -> TcbLevel:
    """The highest level whose SGX components and PCESVN the PCK certificate meets.

    Raises:
        EndorsementError: it meets none.
    """
    return _select(levels, pck, None)


def select_tdx_level(levels: Sequence[TcbLevel], pck: PckExtension, tee_tcb_svn: bytes) -> TcbLevel:
    """As :func:`select_sgx_level`, where the TD's SVNs (16 bytes) meet the TDX components too.

    From module version 1 on, bytes 0 and 1 are judged by the module's identity instead.
    """
    return _select(levels, pck, tee_tcb_svn)


def isv_level(levels: Sequence[IsvTcbLevel], isv_svn: int, what: str, detail: str) -> IsvTcbLevel:
    """The highest level that ``isv_svn`` meets.

    Raises:
        EndorsementError: it meets none.
    """
    for level in levels:
        if isv_svn >= level.isv_svn:
            return level
    raise EndorsementError(
        f"no TCB level of the {what} is met by ISVSVN {isv_svn}, the lowest is {levels[-1].isv_svn}",
        detail=f"{detail}_tcb_level_not_found", isv_svn=isv_svn,
    )  # fmt: skip


def converge(status: TcbStatus, part: TcbStatus) -> TcbStatus:
    """``status`` of the platform with ``part``, the status of its QE or TDX module, taken in.

    A part is UpToDate, OutOfDate or Revoked.
    """
    if part is TcbStatus.REVOKED:
        return TcbStatus.REVOKED
    if part is TcbStatus.OUT_OF_DATE:
        return _WITH_PART_OUT_OF_DATE.get(status, status)
    return status


_WITH_PART_OUT_OF_DATE = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}


def evaluation(
    status: TcbStatus,
    platform: ComponentTcb,
    tdx_module: ComponentTcb | None,
    qe: ComponentTcb,
    tcb_evaluation_data_number: int,
) -> TcbEvaluation:
    """The parts put together under the converged ``status``."""
    parts = [platform, qe] if tdx_module is None else [platform, tdx_module, qe]
    return TcbEvaluation(
        status=status,
        tcb_date=platform.tcb_date,
        advisory_ids=_union(part.advisory_ids for part in parts),
        platform=platform,
        tdx_module=tdx_module,
        qe=qe,
        tcb_evaluation_data_number=tcb_evaluation_data_number,
    )


def _select(levels: Sequence[TcbLevel], pck: PckExtension, tee_tcb_svn: bytes | None) -> TcbLevel:
    for level in levels:
        if (
            pck.pce_svn >= level.pce_svn
            and _meets(pck.sgx_tcb_components, level.sgx_components)
            and (tee_tcb_svn is None or _meets_tdx(tee_tcb_svn, level))
        ):
            return level
    svns = f"CPUSVN {pck.sgx_tcb_components.hex()}, PCESVN {pck.pce_svn}"
    svns += f", TEE TCB SVN {tee_tcb_svn.hex()}" if tee_tcb_svn is not None else ""
    raise EndorsementError(
        f"no TCB level is met by {svns}: Intel does not vouch for it", detail="tcb_level_not_found"
    )


def _meets_tdx(tee_tcb_svn: bytes, level: TcbLevel) -> bool:
    first = 2 if tee_tcb_svn[1] > 0 else 0
    return _meets(tee_tcb_svn[first:], level.tdx_components[first:])


def _meets(svns: bytes, required: bytes) -> bool:
    return len(svns) == len(required) and all(map(ge, svns, required))


def _union(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({item for group in groups for item in group}))
