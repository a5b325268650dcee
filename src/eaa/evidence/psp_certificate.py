"""The certificate of a secure processor's platform keys, which AMD SEV and Hygon CSV share [SEV-API C.1].

2084 bytes, little-endian: a body of 1044 that is signed, and two signatures of 520. How the public key is
laid out is the vendor's: see :mod:`eaa.endorsements.sev_certificate` and
:mod:`eaa.endorsements.hygon_certificate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.layout import BytesField, Structure, UintField

__all__ = [
    "COORDINATE_BYTES",
    "PSP_CERTIFICATE_BYTES",
    "PSP_SIGNED_BYTES",
    "KeyUsage",
    "PspCertificate",
    "PspSignature",
    "parse_psp_certificate",
]

PSP_CERTIFICATE_BYTES, PSP_SIGNED_BYTES = 2084, 1044
#: Of a point's coordinates and a signature's halves, little-endian; the curve's come first, then zeros.
COORDINATE_BYTES = 72
_SPEC = "[SEV-API C.1]"


class KeyUsage(IntEnum):
    """What a key is for. Hygon's HRK and HSK have the numbers of AMD's ARK and ASK."""

    ARK = 0x0000
    ASK = 0x0013
    NONE = 0x1000  # of a signature that is not there
    OCA = 0x1001
    PEK = 0x1002
    PDH = 0x1003
    CEK = 0x1004


_USAGES = frozenset(int(usage) for usage in KeyUsage)
_PLATFORM_USAGES = (KeyUsage.OCA, KeyUsage.PEK, KeyUsage.PDH, KeyUsage.CEK)


@dataclass(frozen=True, slots=True)
class PspSignature:
    """One signature: the usage of the key that made it, the algorithm's number, and 512 bytes."""

    usage: KeyUsage
    algorithm: int
    data: bytes


@dataclass(frozen=True, slots=True)
class PspCertificate(Structure):
    """The fields that both vendors have."""

    SIZE: ClassVar[int] = PSP_CERTIFICATE_BYTES

    version = UintField(0x000, 4)
    api_major = UintField(0x004, 1)  # of the firmware that made the key
    api_minor = UintField(0x005, 1)
    reserved = BytesField(0x006, 2)
    pubkey_usage = UintField(0x008, 4)
    pubkey_algo = UintField(0x00C, 4)
    pubkey = BytesField(0x010, 1028)
    sig1_usage = UintField(0x414, 4)
    sig1_algo = UintField(0x418, 4)
    sig1 = BytesField(0x41C, 512)
    sig2_usage = UintField(0x61C, 4)
    sig2_algo = UintField(0x620, 4)
    sig2 = BytesField(0x624, 512)

    @property
    def signed(self) -> bytes:
        """The bytes under the signatures, 1044."""
        return self.raw[:PSP_SIGNED_BYTES]

    @property
    def usage(self) -> KeyUsage:
        return KeyUsage(self.pubkey_usage)

    @property
    def signatures(self) -> tuple[PspSignature, ...]:
        """Those that are there, one or two, in the order in which they stand."""
        both = (
            PspSignature(KeyUsage(self.sig1_usage), self.sig1_algo, self.sig1),
            PspSignature(KeyUsage(self.sig2_usage), self.sig2_algo, self.sig2),
        )
        return tuple(item for item in both if item.usage is not KeyUsage.NONE)

    def signature_by(self, usage: KeyUsage) -> PspSignature | None:
        """The first signature by a key of ``usage``."""
        return next((item for item in self.signatures if item.usage is usage), None)


def parse_psp_certificate(data: bytes, *, what: str, versions: tuple[int, ...]) -> PspCertificate:
    """The certificate in ``data``, exactly, of one of ``versions``. The public key is not looked at.

    Raises:
        FormatError: another length or version, a reserved byte that is not zero, an unknown usage, or bytes
            in the place of a signature that is not there.
    """
    if len(data) != PSP_CERTIFICATE_BYTES:
        raise FormatError(
            f"expected {PSP_CERTIFICATE_BYTES} bytes, came {len(data)}", what=what, field="length", offset=0,
            spec=_SPEC, detail="truncated" if len(data) < PSP_CERTIFICATE_BYTES else "trailing_bytes",
        )  # fmt: skip
    found = PspCertificate(data)
    if found.version not in versions:
        raise _error(what, "version", f"expected one of {list(versions)}, came {found.version}")
    if any(found.reserved):
        raise _error(what, "reserved", "a reserved byte is not zero", "reserved")
    if found.pubkey_usage not in _PLATFORM_USAGES:
        names = ", ".join(usage.name for usage in _PLATFORM_USAGES)
        raise _error(what, "pubkey_usage", f"expected that of {names}, came {found.pubkey_usage:#x}")
    for name in ("sig1", "sig2"):
        usage: int = getattr(found, f"{name}_usage")
        if usage not in _USAGES:
            raise _error(what, f"{name}_usage", f"unknown usage {usage:#x}")
        if usage == KeyUsage.NONE and (getattr(found, f"{name}_algo") or any(getattr(found, name))):
            raise _error(what, name, "a signature that is not there is not zero", "reserved")
    return found


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    offset = PspCertificate.layout()[field].offset
    return FormatError(message, what=what, field=field, offset=offset, spec=_SPEC, detail=detail)
