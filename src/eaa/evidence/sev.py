"""The attestation report of SEV and SEV-ES, which the command ATTESTATION returns [SEV-API 6.8].

208 bytes, little-endian; the firmware signs the first 52 with the platform's PEK. The host asks for it, with
a nonce; there is no field that the guest could fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.psp_certificate import COORDINATE_BYTES, KeyUsage
from eaa.evidence.psp_policy import SevGuestPolicy, parse_sev_policy

__all__ = ["SEV_REPORT_BYTES", "SEV_SIGNED_BYTES", "SevReport", "SevReportBody", "parse_sev_report"]

SEV_REPORT_BYTES, SEV_SIGNED_BYTES = 0xD0, 0x34
#: ECDSA with SHA-256, or with SHA-384 [SEV-API C.1].
_ECDSA = (0x0002, 0x0102)
_SPEC = "[SEV-API 6.8]"


@dataclass(frozen=True, slots=True)
class SevReportBody(Structure):
    """The report's fields. Those from ``sig_usage`` on are not signed."""

    SIZE: ClassVar[int] = SEV_REPORT_BYTES

    mnonce = BytesField(0x00, 16)
    launch_digest = BytesField(0x10, 32)
    policy = UintField(0x30, 4)
    sig_usage = UintField(0x34, 4)
    sig_algo = UintField(0x38, 4)
    reserved = BytesField(0x3C, 4)
    signature_r = BytesField(0x40, COORDINATE_BYTES)  # little-endian, as s
    signature_s = BytesField(0x88, COORDINATE_BYTES)


@dataclass(frozen=True, slots=True)
class SevReport:
    """A well-formed report. Nothing in it has been verified."""

    body: SevReportBody
    policy: SevGuestPolicy

    @property
    def signed(self) -> bytes:
        """The received bytes under the signature, 52: nonce, launch digest and policy."""
        return self.body.raw[:SEV_SIGNED_BYTES]

    def encode(self) -> bytes:
        return self.body.raw


def parse_sev_report(data: bytes) -> SevReport:
    """The report in ``data``, exactly.

    Raises:
        FormatError: another length, a reserved bit or byte that is set, another key's usage than a PEK's, or
            an unknown algorithm.
    """
    if len(data) != SEV_REPORT_BYTES:
        raise _error(
            "length", 0, f"expected {SEV_REPORT_BYTES} bytes, came {len(data)}",
            "truncated" if len(data) < SEV_REPORT_BYTES else "trailing_bytes",
        )  # fmt: skip
    body = SevReportBody(data)
    policy = parse_sev_policy(body.policy, offset=0x30)
    if body.sig_usage != KeyUsage.PEK:
        raise _error("sig_usage", 0x34, f"expected {KeyUsage.PEK:#x}, a PEK's, came {body.sig_usage:#x}")
    if body.sig_algo not in _ECDSA:
        raise _error("sig_algo", 0x38, f"expected ECDSA, {_ECDSA[0]:#x} or {_ECDSA[1]:#x}")
    if any(body.reserved):
        raise _error("reserved", 0x3C, "a reserved byte is not zero", "reserved")
    return SevReport(body, policy)


def _error(field: str, offset: int, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what="SEV report", field=field, offset=offset, spec=_SPEC, detail=detail)
