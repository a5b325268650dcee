"""``/dev/sev-guest``: attestation reports of an SEV-SNP guest [LINUX-UAPI], [SNP-ABI 7.3].

Emulated, not proven on hardware.
"""

from __future__ import annotations

import ctypes
import errno
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eaa.attester.answers import attached_report, snp_report
from eaa.attester.device import (
    DeviceAttester,
    Ioctl,
    device_errors,
    find_device,
    kernel_ioctl,
    opened,
    require_report_data,
)
from eaa.attester.retry import while_busy
from eaa.attester.sources import SEV_GUEST
from eaa.errors import AttesterError
from eaa.evidence.snp import SNP_REPORT_BYTES
from eaa.tls.peer import AttachedEvidence

__all__ = ["SNP_GET_EXT_REPORT", "SevGuestAttester", "SnpReport"]

#: ``_IOWR('S', 2, struct snp_guest_request_ioctl)``, 32 bytes. Without room for a table it asks for none.
SNP_GET_EXT_REPORT = 0xC0205302

_REQUEST = struct.Struct("<B7xQQII")  # version, request address, response address, firmware and VMM error
_REPORT_REQUEST = struct.Struct("<64sI28x")
_EXTENSION = struct.Struct("<QI4x")  # certificates: address, length
_RESPONSE_BYTES = 4000
_RESPONSE_HEADER = struct.Struct("<II24x")  # status, report size
_VMM_INVALID_LENGTH, _VMM_BUSY = 1, 2
_PAGE_BYTES = 4096
_MAX_TABLE_BYTES = 0x4000  # SEV_FW_BLOB_MAX_SIZE of the driver
_ADVICE: Mapping[int, str] = {
    errno.ENOTTY: "the guest's message key was disabled after an earlier failure, or the driver does not "
    "know the request: restart the guest",
}


@dataclass(frozen=True, slots=True)
class SnpReport:
    """``certificate_table`` is what the host supplies beside the report: VCEK or VLEK, ASK, ARK; or empty."""

    report: bytes  # 1184
    certificate_table: bytes


class SevGuestAttester(DeviceAttester):
    """SEV-SNP reports, for the privilege level ``privlevel`` (VMPL 0 to 3), with the host's certificates."""

    name = "sev_snp"
    source = SEV_GUEST

    def __init__(
        self,
        *,
        root: Path = Path("/"),
        privlevel: int | None = None,
        ioctl: Ioctl = kernel_ioctl,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(root=root, ioctl=ioctl)
        self._privlevel = privlevel or 0
        self._pause = pause

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A report with ``report_data``, 64 bytes, and the endorsements that the host supplies with it.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        found = while_busy(lambda: self.report(report_data), self._pause)
        return attached_report(found.report, found.certificate_table, device=f"/{self.source.paths[0]}")

    def report(self, report_data: bytes) -> SnpReport:
        """A report with the host's certificate table: asked without room first, to learn its size.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        path = find_device(self._root, self.source)
        with opened(self._root, path, writes=True) as descriptor:
            table = b""
            exchange = self._extended(descriptor, path, report_data, None)
            if size := exchange.needed_table_bytes:
                room = ctypes.create_string_buffer(size)
                exchange = self._extended(descriptor, path, report_data, room)
                table = room.raw
        if exchange.needed_table_bytes:
            raise AttesterError(
                f"/{path}: the certificate table grew between two requests; try again",
                detail="busy", device=f"/{path}",
            )  # fmt: skip
        return SnpReport(exchange.report(report_data), table)

    def _extended(
        self, descriptor: int, path: str, report_data: bytes, room: ctypes.Array[ctypes.c_char] | None
    ) -> _Exchange:
        address, length = (ctypes.addressof(room), len(room)) if room is not None else (0, 0)
        request = bytearray(
            _REPORT_REQUEST.pack(report_data, self._privlevel) + _EXTENSION.pack(address, length)
        )
        exchange = _Exchange(descriptor, f"/{path}", self._ioctl, request)
        exchange.ask()
        return exchange


class _Exchange:
    """One request with its buffers, which the driver reads and writes by address."""

    def __init__(self, descriptor: int, device: str, ioctl: Ioctl, request: bytearray) -> None:
        self._descriptor = descriptor
        self._device = device
        self._ioctl = ioctl
        self._request = (ctypes.c_char * len(request)).from_buffer(request)
        self._response = ctypes.create_string_buffer(_RESPONSE_BYTES)
        self.needed_table_bytes = 0

    def ask(self) -> None:
        """
        Raises:
            AttesterError: unless all that was wrong is that the table needs more room.
        """
        message = bytearray(
            _REQUEST.pack(1, ctypes.addressof(self._request), ctypes.addressof(self._response), 0, 0)
        )
        with device_errors(self._device, "requesting a report", _ADVICE):
            try:
                self._ioctl(self._descriptor, SNP_GET_EXT_REPORT, message)
            except OSError as error:
                _, _, _, firmware, vmm = _REQUEST.unpack(message)
                if error.errno == errno.EIO and vmm == _VMM_INVALID_LENGTH:
                    self.needed_table_bytes = self._table_bytes()
                elif vmm == _VMM_BUSY:
                    raise self._refused("the host is busy: try again", "busy", firmware, vmm) from None
                elif firmware or vmm:
                    what = f"the firmware reported {firmware:#x}, the host {vmm:#x}: see the kernel's log"
                    raise self._refused(what, "firmware", firmware, vmm) from None
                else:
                    raise

    def report(self, report_data: bytes) -> bytes:
        """
        Raises:
            AttesterError: the firmware reported a status, or the report is not ours.
        """
        status, size = _RESPONSE_HEADER.unpack_from(self._response)
        if status:
            raise AttesterError(
                f"{self._device}: the firmware answered with status {status:#x}",
                detail="firmware", device=self._device, status=status,
            )  # fmt: skip
        start = _RESPONSE_HEADER.size
        data = self._response.raw[start : start + min(size, SNP_REPORT_BYTES + 1)]
        return snp_report(data, report_data=report_data, device=self._device)

    def _refused(self, what: str, detail: str, firmware: int, vmm: int) -> AttesterError:
        return AttesterError(
            f"{self._device}: requesting a report: {what}", detail=detail, device=self._device,
            fw_error=firmware, vmm_error=vmm,
        )  # fmt: skip

    def _table_bytes(self) -> int:
        length: int = _EXTENSION.unpack_from(self._request, _REPORT_REQUEST.size)[1]
        if not 0 < length <= _MAX_TABLE_BYTES or length % _PAGE_BYTES:
            raise AttesterError(
                f"{self._device}: a certificate table of {length} bytes is not possible",
                detail="answer", device=self._device,
            )  # fmt: skip
        return length
