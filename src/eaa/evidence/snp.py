"""The SEV-SNP attestation report, versions 2 to 5 [SNP-ABI 7.3].

1184 bytes, little-endian; the firmware signs the first 672. Version 3 added the CPUID of the processor,
version 5 the mitigation vectors; version 4 has version 3's fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.snp_bits import (
    GuestPolicy,
    KeyInfo,
    PlatformInfo,
    parse_guest_policy,
    parse_key_info,
    parse_platform_info,
)
from eaa.evidence.snp_tcb import (
    TCB_BYTES,
    SnpProduct,
    TcbVersion,
    is_turin_chip_id,
    parse_tcb_version,
    product_of_cpuid,
)

__all__ = [
    "HOST_REQUESTED_VMPL",
    "SNP_REPORT_BYTES",
    "SNP_SIGNED_BYTES",
    "SNP_VERSIONS",
    "SnpReport",
    "SnpReportBody",
    "parse_snp_report",
]

SNP_REPORT_BYTES = 0x4A0
SNP_SIGNED_BYTES = 0x2A0
SNP_VERSIONS = (2, 3, 4, 5)
#: VMPL of a report that the host asked for, not the guest; its report data is zero.
HOST_REQUESTED_VMPL = 0xFFFFFFFF

_ECDSA_P384_SHA384 = 1
_MAX_VMPL = 3
_SPEC = "[SNP-ABI 7.3]"


@dataclass(frozen=True, slots=True)
class SnpReportBody(Structure):
    """The report's fields. Those of later versions are zero in earlier ones."""

    SIZE: ClassVar[int] = SNP_REPORT_BYTES

    version = UintField(0x00, 4)
    guest_svn = UintField(0x04, 4)
    policy = UintField(0x08, 8)
    family_id = BytesField(0x10, 16)
    image_id = BytesField(0x20, 16)
    vmpl = UintField(0x30, 4)
    signature_algo = UintField(0x34, 4)
    current_tcb = BytesField(0x38, TCB_BYTES)
    platform_info = UintField(0x40, 8)
    key_info = UintField(0x48, 4)
    report_data = BytesField(0x50, 64)
    measurement = BytesField(0x90, 48)
    host_data = BytesField(0xC0, 32)
    id_key_digest = BytesField(0xE0, 48)
    author_key_digest = BytesField(0x110, 48)
    report_id = BytesField(0x140, 32)
    report_id_ma = BytesField(0x160, 32)
    reported_tcb = BytesField(0x180, TCB_BYTES)
    cpuid_family = UintField(0x188, 1)  # from version 3 on, as the next two
    cpuid_model = UintField(0x189, 1)
    cpuid_stepping = UintField(0x18A, 1)
    chip_id = BytesField(0x1A0, 64)
    committed_tcb = BytesField(0x1E0, TCB_BYTES)
    current_build = UintField(0x1E8, 1)
    current_minor = UintField(0x1E9, 1)
    current_major = UintField(0x1EA, 1)
    committed_build = UintField(0x1EC, 1)
    committed_minor = UintField(0x1ED, 1)
    committed_major = UintField(0x1EE, 1)
    launch_tcb = BytesField(0x1F0, TCB_BYTES)
    launch_mit_vector = UintField(0x1F8, 8)  # version 5, as the next
    current_mit_vector = UintField(0x200, 8)
    signature_r = BytesField(0x2A0, 72)  # little-endian, as s
    signature_s = BytesField(0x2E8, 72)


@dataclass(frozen=True, slots=True)
class SnpReport:
    """A well-formed report. Nothing in it has been verified.

    ``product`` is what the CPUID says, ``None`` in version 2, which has none. ``has_fmc`` is the shape
    of the four TCB versions.
    """

    body: SnpReportBody
    policy: GuestPolicy
    platform_info: PlatformInfo
    key_info: KeyInfo
    product: SnpProduct | None
    has_fmc: bool
    reported_tcb: TcbVersion
    committed_tcb: TcbVersion
    current_tcb: TcbVersion
    launch_tcb: TcbVersion

    @property
    def signed(self) -> bytes:
        """The received bytes under the signature, 672."""
        return self.body.raw[:SNP_SIGNED_BYTES]

    @property
    def chip_id_masked(self) -> bool:
        """Whether the host keeps the chip id out of reports [SNP-ABI 7.3]."""
        return not any(self.body.chip_id)

    @property
    def host_requested(self) -> bool:
        """Whether the host asked for the report, and not the guest."""
        return self.body.vmpl == HOST_REQUESTED_VMPL

    @property
    def current_version(self) -> tuple[int, int, int]:
        """Major, minor and build of the firmware that runs."""
        body = self.body
        return body.current_major, body.current_minor, body.current_build

    @property
    def committed_version(self) -> tuple[int, int, int]:
        """Major, minor and build of the firmware that the platform cannot go back behind."""
        body = self.body
        return body.committed_major, body.committed_minor, body.committed_build

    @property
    def provisional(self) -> bool:
        """Whether the firmware that runs is not committed: the host can still roll it back."""
        return self.current_tcb != self.committed_tcb or self.current_version != self.committed_version

    def encode(self) -> bytes:
        return self.body.raw


def parse_snp_report(data: bytes) -> SnpReport:
    """The report in ``data``, exactly.

    A report of version 2 does not name its product. Its TCB versions are read as Turin's if the chip id
    has Turin's 8 bytes; verification compares that with the certificate.

    Raises:
        FormatError: another length, an unknown version, a reserved bit or byte that is set, an unknown
            signature algorithm, VMPL or signing key.
        UnsupportedError: a processor that is not known here.
    """
    if len(data) != SNP_REPORT_BYTES:
        raise _error(
            "length", 0, f"expected {SNP_REPORT_BYTES} bytes, came {len(data)}",
            "truncated" if len(data) < SNP_REPORT_BYTES else "trailing_bytes",
        )  # fmt: skip
    body = SnpReportBody(data)
    version = body.version
    if version not in SNP_VERSIONS:
        raise _error("version", 0, f"expected one of {list(SNP_VERSIONS)}, came {version}")
    for start, end in _RESERVED[version]:
        if data[start:end] != bytes(end - start):
            raise _error("reserved", start, f"a byte before {end:#x} is not zero", "reserved")
    if body.vmpl > _MAX_VMPL and body.vmpl != HOST_REQUESTED_VMPL:
        raise _error(
            "vmpl", 0x30, f"expected 0 to {_MAX_VMPL}, or {HOST_REQUESTED_VMPL:#x}, came {body.vmpl}"
        )
    if body.signature_algo != _ECDSA_P384_SHA384:
        raise _error("signature_algo", 0x34, f"expected {_ECDSA_P384_SHA384}, came {body.signature_algo}")
    product = product_of_cpuid(body.cpuid_family, body.cpuid_model) if version > 2 else None
    has_fmc = product.has_fmc if product is not None else is_turin_chip_id(body.chip_id)
    return SnpReport(
        body,
        parse_guest_policy(body.policy, offset=0x08),
        parse_platform_info(body.platform_info, offset=0x40),
        parse_key_info(body.key_info, offset=0x48),
        product,
        has_fmc,
        parse_tcb_version(body.reported_tcb, has_fmc=has_fmc, field="reported_tcb", offset=0x180),
        parse_tcb_version(body.committed_tcb, has_fmc=has_fmc, field="committed_tcb", offset=0x1E0),
        parse_tcb_version(body.current_tcb, has_fmc=has_fmc, field="current_tcb", offset=0x38),
        parse_tcb_version(body.launch_tcb, has_fmc=has_fmc, field="launch_tcb", offset=0x1F0),
    )


_ALWAYS_RESERVED = ((0x4C, 0x50), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x330, 0x4A0))
_RESERVED = {
    2: (*_ALWAYS_RESERVED, (0x188, 0x1A0), (0x1F8, 0x2A0)),
    3: (*_ALWAYS_RESERVED, (0x18B, 0x1A0), (0x1F8, 0x2A0)),
    4: (*_ALWAYS_RESERVED, (0x18B, 0x1A0), (0x1F8, 0x2A0)),
    5: (*_ALWAYS_RESERVED, (0x18B, 0x1A0), (0x208, 0x2A0)),
}


def _error(field: str, offset: int, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what="SNP report", field=field, offset=offset, spec=_SPEC, detail=detail)
