"""The attestation report of Hygon CSV, versions 1 and 2 [CSV-RS guest].

Little-endian. A *tee info* that the platform's PEK signs, then its *signer*: the PEK's certificate, the
serial number of the chip, and an HMAC-SM3 over both under the guest's nonce. CSV, CSV2 and CSV3 have version
1; CSV3 with firmware build 2337 and later has version 2 too, which adds registers that the guest extends.

**Masks.** In version 1 the firmware masks every field of the tee info up to the signature, and of the
signer certificate and serial number, with a number of 4 bytes (``anonce``) that stands in the clear, and that
nothing signs. The signature and the HMAC are over the masked bytes. csv-rs, with which guest components
collect reports, checks the HMAC, takes the mask off the signer and overwrites 32 bytes that the HMAC covers:
such a report is *restored*, and its HMAC cannot be checked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.psp_certificate import COORDINATE_BYTES, PSP_CERTIFICATE_BYTES, KeyUsage
from eaa.evidence.psp_policy import CsvGuestPolicy

__all__ = [
    "CSV_PAGE_BYTES",
    "CSV_REPORT_BYTES",
    "CsvReport",
    "CsvSigner",
    "CsvTeeInfo",
    "CsvTeeInfoV2",
    "parse_csv_report",
]

CSV_PAGE_BYTES = 4096
#: Of each version without the zeros that fill the page.
CSV_REPORT_BYTES = {1: 0x9F4, 2: 0xD34}
_SM2 = 4
_WHAT, _SPEC = "CSV report", "[CSV-RS guest]"


@dataclass(frozen=True, slots=True)
class CsvTeeInfo(Structure):
    """Version 1, without masks. ``sig_usage`` and what follows is not signed."""

    SIZE: ClassVar[int] = 0x150

    user_pubkey_digest = BytesField(0x00, 32)
    vm_id = BytesField(0x20, 16)
    vm_version = BytesField(0x30, 16)
    report_data = BytesField(0x40, 64)
    mnonce = BytesField(0x80, 16)
    measure = BytesField(0x90, 32)
    policy = UintField(0xB0, 4)
    sig_usage = UintField(0xB4, 4)
    sig_algo = UintField(0xB8, 4)
    anonce = UintField(0xBC, 4)
    sig_r = BytesField(0xC0, COORDINATE_BYTES)  # little-endian, as s
    sig_s = BytesField(0x108, COORDINATE_BYTES)


@dataclass(frozen=True, slots=True)
class CsvTeeInfoV2(Structure):
    """Version 2, which has no masks. All but the signature is signed."""

    SIZE: ClassVar[int] = 0x490

    user_pubkey_digest = BytesField(0x00, 32)
    vm_id = BytesField(0x20, 16)
    vm_version = BytesField(0x30, 16)
    report_data = BytesField(0x40, 64)
    mnonce = BytesField(0x80, 16)
    measure = BytesField(0x90, 32)
    policy = UintField(0xB0, 4)
    sig_usage = UintField(0xB4, 4)
    sig_algo = UintField(0xB8, 4)
    fw_build = UintField(0xBC, 4)  # ``build`` in the specification
    rtmr_version = UintField(0xC0, 2)
    reserved0 = BytesField(0xC2, 14)
    rtmr0 = BytesField(0xD0, 32)  # the launch measurement again
    rtmr1 = BytesField(0xF0, 32)
    rtmr2 = BytesField(0x110, 32)
    rtmr3 = BytesField(0x130, 32)
    rtmr4 = BytesField(0x150, 32)
    reserved1 = BytesField(0x170, 656)
    sig_r = BytesField(0x400, COORDINATE_BYTES)
    sig_s = BytesField(0x448, COORDINATE_BYTES)


@dataclass(frozen=True, slots=True)
class CsvSigner(Structure):
    """Who signed the tee info. ``mac`` is an HMAC-SM3 of all before it."""

    SIZE: ClassVar[int] = 0x8A4

    pek_cert = BytesField(0x000, PSP_CERTIFICATE_BYTES)
    sn = BytesField(0x824, 64)
    reserved = BytesField(0x864, 32)
    mac = BytesField(0x884, 32)


@dataclass(frozen=True, slots=True)
class CsvReport:
    """A well-formed report. Nothing in it has been verified.

    ``raw`` is as received, without the zeros that fill the page; ``tee_info``, ``pek_cert`` and
    ``serial_number`` are without masks.
    """

    version: int
    raw: bytes
    restored: bool
    tee_info: CsvTeeInfo | CsvTeeInfoV2
    pek_cert: bytes  # 2084 bytes
    serial_number: str
    policy: CsvGuestPolicy

    @property
    def signed(self) -> bytes:
        """The received bytes under the PEK's signature: 180, or 1024 in version 2."""
        return self.raw[: _SIGNED_BYTES[self.version]]

    @property
    def signer(self) -> CsvSigner:
        """As received."""
        return CsvSigner(self.raw[self.tee_info.SIZE :])

    @property
    def mac_input(self) -> bytes | None:
        """What the HMAC is over; ``None`` if the report is restored."""
        return None if self.restored else self.signer.raw[: CsvSigner.mac.offset]

    def encode(self) -> bytes:
        return self.raw


_SIGNED_BYTES = {1: 0xB4, 2: 0x400}
_TEE_INFO: dict[int, type[CsvTeeInfo] | type[CsvTeeInfoV2]] = {1: CsvTeeInfo, 2: CsvTeeInfoV2}
#: Of version 1, up to ``anonce``.
_MASKED_BYTES = 0xBC


def parse_csv_report(data: bytes, *, restored: bool, version: int | None = None) -> CsvReport:
    """The report in ``data``: exactly its bytes, or a page of 4096 with zeros after it.

    Args:
        restored: whether the signer's mask was taken off, as csv-rs does.
        version: 1 or 2; ``None`` to tell by the usage of the signing key, which only version 1 masks.

    Raises:
        FormatError: another length, a version that the report is not of, another key than a PEK or another
            algorithm than SM2, a reserved byte or filling that is not zero, or a serial number that is not
            printable.
    """
    if len(data) < CSV_REPORT_BYTES[1]:
        raise _error("length", f"needs {CSV_REPORT_BYTES[1]} bytes, came {len(data)}", len(data), "truncated")
    found = _version(data)
    if found is None or version not in (None, found):
        raise _error("sig_usage", "expected that of a PEK", CsvTeeInfo.sig_usage.offset)
    size = CSV_REPORT_BYTES[found]
    if len(data) not in (size, CSV_PAGE_BYTES):
        raise _error(
            "length", f"expected {size} or {CSV_PAGE_BYTES} bytes, came {len(data)}", len(data),
            "truncated" if len(data) < size else "trailing_bytes",
        )  # fmt: skip
    if any(data[size:]):
        raise _error("padding", "a byte after the report is not zero", size, "reserved")
    raw = data[:size]
    tee_info = _tee_info(raw, found)
    mask = raw[_MASKED_BYTES : _MASKED_BYTES + 4] if found == 1 and not restored else bytes(4)
    # The signer begins at a multiple of the mask's length, and so do its fields.
    signer = CsvSigner(_unmasked(raw[tee_info.SIZE :], mask))
    return CsvReport(
        version=found,
        raw=raw,
        restored=restored,
        tee_info=tee_info,
        pek_cert=signer.pek_cert,
        serial_number=_serial_number(signer.sn),
        policy=CsvGuestPolicy(tee_info.policy),
    )


def _version(data: bytes) -> int | None:
    """By the usage of the key: masked in version 1, in the clear and before a build number in version 2."""
    body = CsvTeeInfo(data[: CsvTeeInfo.SIZE])
    if body.sig_usage ^ body.anonce == KeyUsage.PEK:
        return 1
    return 2 if body.sig_usage == KeyUsage.PEK else None


def _tee_info(raw: bytes, version: int) -> CsvTeeInfo | CsvTeeInfoV2:
    tee_info = _TEE_INFO[version](raw[: _TEE_INFO[version].SIZE])
    if isinstance(tee_info, CsvTeeInfo):
        anonce = raw[_MASKED_BYTES : _MASKED_BYTES + 4]
        tee_info = CsvTeeInfo(_unmasked(raw[:_MASKED_BYTES], anonce) + raw[_MASKED_BYTES : CsvTeeInfo.SIZE])
    else:
        for field in (CsvTeeInfoV2.reserved0, CsvTeeInfoV2.reserved1):
            if any(raw[field.offset : field.end]):
                raise _error("reserved", "a reserved byte is not zero", field.offset, "reserved")
    if tee_info.sig_algo != _SM2:
        raise _error("sig_algo", f"expected {_SM2}, SM2, came {tee_info.sig_algo}", 0xB8)
    return tee_info


def _unmasked(data: bytes, mask: bytes) -> bytes:
    length = len(data)
    whole = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data) ^ int.from_bytes(whole)).to_bytes(length)


def _serial_number(field: bytes) -> str:
    text = field.rstrip(b"\x00")
    if not text or not all(0x20 < byte < 0x7F for byte in text):
        raise _error("sn", "expected printable characters, then zeros", None)
    return text.decode("ascii")


def _error(field: str, message: str, offset: int | None, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC, detail=detail)
