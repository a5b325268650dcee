"""``/dev/tdx_guest``: the TDREPORT of a TDX guest [LINUX-UAPI].

A TDREPORT carries a MAC that only the same machine can check. To make a quote of it, or to verify it,
takes the host's quoting service; Linux 6.7 and later offer the way there as configfs-tsm.

Emulated, not proven on hardware.
"""

from __future__ import annotations

from eaa.attester.answers import TDX_REPORT_BYTES, tdx_report
from eaa.attester.device import (
    DeviceAttester,
    device_errors,
    find_device,
    opened,
    require_report_data,
)
from eaa.attester.sources import TDX_GUEST
from eaa.tls.peer import REPORT_DATA_BYTES, AttachedEvidence, EvidenceKind

__all__ = ["REPORT_ONLY", "TDX_CMD_GET_REPORT0", "TdxGuestAttester"]

#: ``_IOWR('T', 1, struct tdx_report_req)``: report data, then room for the report, 1088 bytes.
TDX_CMD_GET_REPORT0 = 0xC4405401

REPORT_ONLY = (
    "gives a report that only the host's quoting service can verify, not a quote: quotes need "
    "configfs-tsm (Linux 6.7 or later, configfs mounted at /sys/kernel/config)"
)


class TdxGuestAttester(DeviceAttester):
    """TDREPORTs. They leave this machine only through a quoting service: no verifier here takes them."""

    name = "tdx_guest"
    source = TDX_GUEST

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A TDREPORT with ``report_data``, 64 bytes.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        path = find_device(self._root, self.source)
        request = bytearray(report_data + bytes(TDX_REPORT_BYTES))
        with (
            opened(self._root, path, writes=True) as descriptor,
            device_errors(f"/{path}", "TDX_CMD_GET_REPORT0"),
        ):
            self._ioctl(descriptor, TDX_CMD_GET_REPORT0, request)
        report = tdx_report(bytes(request[REPORT_DATA_BYTES:]), report_data=report_data, device=f"/{path}")
        return AttachedEvidence(EvidenceKind.TDX_REPORT, report)
