"""The TD report bodies of TDX 1.0 (584 bytes) and TDX 1.5 (648 bytes) in a quote
[TDX-QUOTE A.3.2], [TDX-QUOTE A.3.3]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.bits import XFEATURE_BITS, named_bits
from eaa.evidence.layout import BytesField, Structure

__all__ = [
    "TD_ATTRIBUTE_BITS",
    "TD_REPORT10_BYTES",
    "TD_REPORT15_BYTES",
    "TdReport",
    "TdReport15",
    "parse_td_report",
]

TD_REPORT10_BYTES = 584
TD_REPORT15_BYTES = 648

#: TD ATTRIBUTES [TDX-ABI §3.4.1]. Bits 0–7 (TUD) say that the TD is under debug or profiling.
TD_ATTRIBUTE_BITS: Mapping[int, str] = {
    0: "DEBUG",
    4: "HGS_PLUS_PROF",
    5: "PERF_PROF",
    6: "PMT_PROF",
    16: "ICSSD",
    27: "LASS",
    28: "SEPT_VE_DISABLE",
    29: "MIGRATABLE",
    30: "PKS",
    31: "KL",
    62: "TPA",
    63: "PERFMON",
}


@dataclass(frozen=True, slots=True)
class TdReport(Structure):
    """The TD report of TDX 1.0. ``tee_tcb_svn`` starts with module ISVSVN and version."""

    SIZE: ClassVar[int] = TD_REPORT10_BYTES

    tee_tcb_svn = BytesField(0, 16)
    mr_seam = BytesField(16, 48)
    mr_signer_seam = BytesField(64, 48)
    seam_attributes = BytesField(112, 8)
    td_attributes = BytesField(120, 8)
    xfam = BytesField(128, 8)
    mr_td = BytesField(136, 48)
    mr_config_id = BytesField(184, 48)
    mr_owner = BytesField(232, 48)
    mr_owner_config = BytesField(280, 48)
    rt_mr0 = BytesField(328, 48)
    rt_mr1 = BytesField(376, 48)
    rt_mr2 = BytesField(424, 48)
    rt_mr3 = BytesField(472, 48)
    report_data = BytesField(520, 64)

    @property
    def debug(self) -> bool:
        """Whether any TUD bit is set: the host can see into the TD."""
        return self.raw[120] != 0

    @property
    def td_attribute_names(self) -> tuple[str, ...]:
        return named_bits(int.from_bytes(self.td_attributes, "little"), TD_ATTRIBUTE_BITS)

    @property
    def xfam_names(self) -> tuple[str, ...]:
        return named_bits(int.from_bytes(self.xfam, "little"), XFEATURE_BITS)

    @property
    def rt_mrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        return (self.rt_mr0, self.rt_mr1, self.rt_mr2, self.rt_mr3)


@dataclass(frozen=True, slots=True)
class TdReport15(TdReport):
    """The TD report of TDX 1.5: ``tee_tcb_svn_2`` is that of the module loaded now, while
    ``tee_tcb_svn`` is that of the module which launched the TD."""

    SIZE: ClassVar[int] = TD_REPORT15_BYTES

    tee_tcb_svn_2 = BytesField(584, 16)
    mr_service_td = BytesField(600, 48)


def parse_td_report(data: bytes, *, base: int = 0) -> TdReport:
    """The report in ``data``: TDX 1.0 if 584 bytes, TDX 1.5 if 648; ``base`` is added to offsets.

    Raises:
        FormatError: any other length.
    """
    if len(data) == TD_REPORT10_BYTES:
        return TdReport(data)
    if len(data) == TD_REPORT15_BYTES:
        return TdReport15(data)
    raise FormatError(
        f"expected {TD_REPORT10_BYTES} or {TD_REPORT15_BYTES} bytes, came {len(data)}",
        what="TD report",
        field="length",
        offset=base,
        spec="[TDX-QUOTE A.3.2]",
        detail="truncated",
    )
