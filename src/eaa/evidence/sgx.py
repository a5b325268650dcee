"""The SGX enclave report body, 384 bytes [DCAP-QUOTE A.4], [SDM-3D §38.15].

The same structure describes the application enclave and Intel's quoting enclave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.bits import XFEATURE_BITS, named_bits
from eaa.evidence.layout import BytesField, Structure, UintField

__all__ = [
    "ATTRIBUTE_BITS",
    "ENCLAVE_REPORT_BYTES",
    "MISC_SELECT_BITS",
    "EnclaveReport",
    "parse_enclave_report",
]

ENCLAVE_REPORT_BYTES = 384
_SPEC = "[DCAP-QUOTE A.4]"

#: ATTRIBUTES.FLAGS [SDM-3D §38.7.1].
ATTRIBUTE_BITS: Mapping[int, str] = {
    0: "INIT",
    1: "DEBUG",
    2: "MODE64BIT",
    4: "PROVISION_KEY",
    5: "EINITTOKEN_KEY",
    6: "CET",
    7: "KSS",
    10: "AEX_NOTIFY",
}
#: MISCSELECT [SDM-3D §38.7.2].
MISC_SELECT_BITS: Mapping[int, str] = {0: "EXINFO", 1: "CPINFO"}

_DEBUG = 0x02


@dataclass(frozen=True, slots=True)
class EnclaveReport(Structure):
    """An SGX report body. ``attributes`` is FLAGS (8 bytes) ‖ XFRM (8 bytes)."""

    SIZE: ClassVar[int] = ENCLAVE_REPORT_BYTES

    cpu_svn = BytesField(0, 16)
    misc_select = UintField(16, 4)
    reserved1 = BytesField(20, 12)
    isv_ext_prod_id = BytesField(32, 16)
    attributes = BytesField(48, 16)
    mr_enclave = BytesField(64, 32)
    reserved2 = BytesField(96, 32)
    mr_signer = BytesField(128, 32)
    reserved3 = BytesField(160, 32)
    config_id = BytesField(192, 64)
    isv_prod_id = UintField(256, 2)
    isv_svn = UintField(258, 2)
    config_svn = UintField(260, 2)
    reserved4 = BytesField(262, 42)
    isv_family_id = BytesField(304, 16)
    report_data = BytesField(320, 64)

    @property
    def flags(self) -> int:
        return int.from_bytes(self.attributes[:8], "little")

    @property
    def xfrm(self) -> int:
        return int.from_bytes(self.attributes[8:], "little")

    @property
    def debug(self) -> bool:
        """Whether ATTRIBUTES.DEBUG is set: the host can read and change the enclave."""
        return bool(self.raw[48] & _DEBUG)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        return named_bits(self.flags, ATTRIBUTE_BITS)

    @property
    def xfrm_names(self) -> tuple[str, ...]:
        return named_bits(self.xfrm, XFEATURE_BITS)

    @property
    def misc_select_names(self) -> tuple[str, ...]:
        return named_bits(self.misc_select, MISC_SELECT_BITS)


_RESERVED = ("reserved1", "reserved2", "reserved3", "reserved4")
_ZERO = bytes(12 + 32 + 32 + 42)


def parse_enclave_report(data: bytes, *, what: str = "SGX report body", base: int = 0) -> EnclaveReport:
    """The report in ``data``, exactly 384 bytes; ``base`` is added to offsets in errors.

    Raises:
        FormatError: another length, or a reserved field that is not zero.
    """
    if len(data) != ENCLAVE_REPORT_BYTES:
        raise FormatError(
            f"expected {ENCLAVE_REPORT_BYTES} bytes, came {len(data)}",
            what=what,
            field="length",
            offset=base,
            spec=_SPEC,
            detail="truncated",
        )
    report = EnclaveReport(data)
    if data[20:32] + data[96:128] + data[160:192] + data[262:304] != _ZERO:
        name = next(name for name in _RESERVED if any(getattr(report, name)))
        offset = base + EnclaveReport.layout()[name].offset
        raise FormatError("reserved bytes must be zero", what=what, field=name, offset=offset, spec=_SPEC)
    return report
