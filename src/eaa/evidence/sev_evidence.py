"""SEV evidence in the shapes that people and programs hand it over, taken out of them.

====================== ==========================================================================
raw                    the report, 208 bytes
with its platform      the report, then CEK, PEK and OCA of 2084 bytes each and one byte that names the
                       product, 6461 bytes together [LIBRATS sev]
base64                 any of these
====================== ==========================================================================
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from eaa.errors import FormatError
from eaa.evidence.psp_certificate import PSP_CERTIFICATE_BYTES
from eaa.evidence.sev import SEV_REPORT_BYTES

__all__ = ["SEV_EVIDENCE_BYTES", "SevEvidence", "SevProduct", "parse_sev_evidence"]

SEV_EVIDENCE_BYTES = SEV_REPORT_BYTES + 3 * PSP_CERTIFICATE_BYTES + 1
_WHAT = "SEV evidence"


class SevProduct(StrEnum):
    """What AMD has keys for in SEV's own format."""

    NAPLES = "Naples"
    ROME = "Rome"
    MILAN = "Milan"
    GENOA = "Genoa"
    TURIN = "Turin"


_DEVICE_TYPES: Mapping[int, SevProduct] = {0: SevProduct.ROME, 1: SevProduct.NAPLES, 2: SevProduct.MILAN}


@dataclass(frozen=True, slots=True)
class SevEvidence:
    """A report's bytes, not looked at yet, and what came with it. ``product`` is what the
    sender says."""

    report: bytes = field(repr=False)
    cek: bytes | None = field(default=None, repr=False)
    pek: bytes | None = field(default=None, repr=False)
    oca: bytes | None = field(default=None, repr=False)
    product: SevProduct | None = None

    def encode(self) -> bytes:
        """The form with the platform's certificates if all of them are there, else the report."""
        number = next((key for key, value in _DEVICE_TYPES.items() if value is self.product), None)
        if self.cek is None or self.pek is None or self.oca is None or number is None:
            return self.report
        return self.report + self.cek + self.pek + self.oca + bytes((number,))


def parse_sev_evidence(data: bytes) -> SevEvidence:
    """The evidence in ``data``, told apart by its length.

    Raises:
        FormatError: none of the shapes. The contents are for
            :func:`eaa.evidence.sev.parse_sev_report` and the endorsements' parsers.
    """
    if len(data) == SEV_REPORT_BYTES:
        return SevEvidence(data)
    if len(data) == SEV_EVIDENCE_BYTES:
        return _with_platform(data)
    if len(data) > 2 * SEV_EVIDENCE_BYTES:
        raise _error("length", f"{len(data)} bytes exceed {2 * SEV_EVIDENCE_BYTES}", "too_large")
    try:
        binary = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except binascii.Error:
        binary = b""
    if len(binary) == SEV_REPORT_BYTES:
        return SevEvidence(binary)
    if len(binary) == SEV_EVIDENCE_BYTES:
        return _with_platform(binary)
    raise _error(
        "length", f"expected {SEV_REPORT_BYTES} or {SEV_EVIDENCE_BYTES} bytes, came {len(data)}", "truncated"
    )


def _with_platform(data: bytes) -> SevEvidence:
    cek, pek, oca = (
        data[start : start + PSP_CERTIFICATE_BYTES]
        for start in range(SEV_REPORT_BYTES, len(data) - 1, PSP_CERTIFICATE_BYTES)
    )
    if data[-1] not in _DEVICE_TYPES:
        raise _error("device_type", f"expected one of {list(_DEVICE_TYPES)}, came {data[-1]}", "bad_value")
    return SevEvidence(data[:SEV_REPORT_BYTES], cek, pek, oca, _DEVICE_TYPES[data[-1]])


def _error(name: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=name, spec="[LIBRATS sev]", detail=detail)
