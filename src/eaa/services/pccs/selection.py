"""Which PCK certificate is the best for a platform's raw TCB [PCK-SELECTION].

As Intel's library selects: certificates are put below the highest published TCB level that each meets,
levels from the highest down; of these the first whose TCB the platform meets is the best. Components are
compared one by one, so that two TCBs may be neither higher nor lower than each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eaa.endorsements.pck import PckExtension
from eaa.endorsements.tcb_info import TcbInfo
from eaa.errors import EndorsementError

__all__ = ["Candidate", "Svns", "select_certificate", "svns_of_raw"]

#: Sixteen components, and the PCESVN.
Svns = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A certificate, by what its SGX extension says."""

    tcbm: str
    pck: PckExtension

    @property
    def svns(self) -> Svns:
        return (*self.pck.sgx_tcb_components, self.pck.pce_svn)


def select_certificate(
    raw: Svns, candidates: Sequence[Candidate], info: TcbInfo, pce_id: bytes
) -> Candidate | None:
    """The best of ``candidates`` for ``raw``, or ``None`` if the platform meets none of them.

    Args:
        raw: the platform's CPUSVN, byte by byte, and PCESVN.
        candidates: of one platform.
        info: SGX TCB info of its FMSPC.
        pce_id: the platform's.

    Raises:
        EndorsementError: the certificates are of several platforms, or TCB info or certificates are of
            another FMSPC or PCE than the platform.
    """
    _require_one_platform(candidates, info, pce_id)
    ordered = sorted(candidates, key=lambda item: item.svns, reverse=True)
    levels = [(*level.sgx_components, level.pce_svn) for level in info.levels]
    buckets: list[list[Candidate]] = [[] for _ in range(len(levels) + 1)]
    for item in ordered:
        at = next((n for n, level in enumerate(levels) if _meets(item.svns, level)), len(levels))
        buckets[at].append(item)
    return next((item for bucket in buckets for item in bucket if _meets(raw, item.svns)), None)


def svns_of_raw(cpu_svn: str, pce_svn: str) -> Svns:
    """Of a request: CPUSVN, 32 digits; PCESVN, 4 digits, little-endian."""
    return (*bytes.fromhex(cpu_svn), int.from_bytes(bytes.fromhex(pce_svn), "little"))


def _meets(one: Svns, other: Svns) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True))


def _require_one_platform(candidates: Iterable[Candidate], info: TcbInfo, pce_id: bytes) -> None:
    if info.tee != "sgx" or info.pce_id != pce_id:
        raise EndorsementError(
            f"TCB info is for {info.tee} and PCE {info.pce_id.hex()}, asked for was PCE {pce_id.hex()}",
            detail="selection_tcb_info",
        )
    ppids = set()
    for item in candidates:
        ppids.add(item.pck.ppid)
        if (item.pck.pce_id, item.pck.fmspc) != (pce_id, info.fmspc):
            raise EndorsementError(
                f"a PCK certificate is of PCE {item.pck.pce_id.hex()} and FMSPC {item.pck.fmspc.hex()}, "
                f"expected {pce_id.hex()} and {info.fmspc.hex()}",
                detail="selection_platform",
            )
    if len(ppids) > 1:
        raise EndorsementError("the PCK certificates are of several platforms", detail="selection_ppid")
