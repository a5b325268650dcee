"""``/dev/sgx``: SGX quotes of an enclave under Occlum [OCCLUM].

Emulated, not proven on hardware.
"""

from __future__ import annotations

import ctypes
import struct

from eaa.attester.answers import own_quote
from eaa.attester.device import (
    DeviceAttester,
    device_errors,
    find_device,
    opened,
    require_report_data,
)
from eaa.attester.sources import OCCLUM
from eaa.errors import AttesterError
from eaa.evidence.dcap_quote import MAX_QUOTE_BYTES
from eaa.tls.peer import AttachedEvidence, EvidenceKind

__all__ = ["SGXIOC_GEN_DCAP_QUOTE", "SGXIOC_GET_DCAP_QUOTE_SIZE", "OcclumAttester"]

#: ``_IOR('s', 7, uint32_t)``
SGXIOC_GET_DCAP_QUOTE_SIZE = 0x80047307
#: ``_IOWR('s', 8, sgxioc_gen_dcap_quote_arg_t)``: three addresses, 24 bytes.
SGXIOC_GEN_DCAP_QUOTE = 0xC0187308

_ARGUMENT = struct.Struct("<QQQ")  # report data, length (in: room, out: written), quote


class OcclumAttester(DeviceAttester):
    """Quotes of this enclave, made by the host's quoting service through Occlum."""

    name = "sgx_ecdsa"
    source = OCCLUM

    def collect(self, report_data: bytes) -> AttachedEvidence:
        """A quote with ``report_data``, 64 bytes.

        Raises:
            AttesterError, UsageError
        """
        require_report_data(report_data)
        path = find_device(self._root, self.source)
        with opened(self._root, path, writes=True) as descriptor:
            data = self._quote(descriptor, f"/{path}", report_data)
        quote = own_quote(data, tee="sgx", report_data=report_data, device=f"/{path}")
        return AttachedEvidence(EvidenceKind.SGX_QUOTE, quote)

    def _quote(self, descriptor: int, device: str, report_data: bytes) -> bytes:
        size = bytearray(4)
        with device_errors(device, "SGXIOC_GET_DCAP_QUOTE_SIZE"):
            self._ioctl(descriptor, SGXIOC_GET_DCAP_QUOTE_SIZE, size)
        room = int.from_bytes(size, "little")
        if not 0 < room <= MAX_QUOTE_BYTES:
            raise AttesterError(
                f"{device}: a quote of {room} bytes is not possible", detail="answer", device=device
            )
        wanted = ctypes.create_string_buffer(report_data, len(report_data))
        length = ctypes.c_uint32(room)
        quote = ctypes.create_string_buffer(room)
        argument = bytearray(
            _ARGUMENT.pack(ctypes.addressof(wanted), ctypes.addressof(length), ctypes.addressof(quote))
        )
        with device_errors(device, "SGXIOC_GEN_DCAP_QUOTE"):
            self._ioctl(descriptor, SGXIOC_GEN_DCAP_QUOTE, argument)
        return quote.raw[: min(length.value, room)]
