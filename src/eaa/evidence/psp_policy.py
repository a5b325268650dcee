"""The guest policies of SEV [SEV-API 3] and of Hygon CSV, which began as a copy of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eaa.errors import FormatError
from eaa.evidence.bits import named_bits

__all__ = [
    "CSV_POLICY_BITS",
    "SEV_POLICY_BITS",
    "CsvGuestPolicy",
    "PspGuestPolicy",
    "SevGuestPolicy",
    "parse_sev_policy",
]

_COMMON_BITS: Mapping[int, str] = {0: "NODBG", 1: "NOKS", 2: "ES", 3: "NOSEND", 4: "DOMAIN"}
#: Below the API version in bits 16 to 31; bits 6 to 15 are reserved.
SEV_POLICY_BITS: Mapping[int, str] = {**_COMMON_BITS, 5: "SEV"}
_SEV_RESERVED = 0xFFC0
#: Below the least versions of HSK, CEK and API in bits 8 to 31 [CSV-RS GuestPolicy].
CSV_POLICY_BITS: Mapping[int, str] = {**_COMMON_BITS, 5: "CSV", 6: "CSV3", 7: "ASID_REUSE"}


@dataclass(frozen=True, slots=True)
class PspGuestPolicy:
    """What the guest's owner demanded at launch. ``value`` is the field as received, 4 bytes.

    A bit that is set forbids or demands something, unlike the bits of SEV-SNP, which allow.
    """

    value: int

    @property
    def nodbg(self) -> bool:
        """Whether the host is kept from reading and changing the guest's memory with debug commands."""
        return self.has(0)

    @property
    def noks(self) -> bool:
        """Whether sharing the guest's key with other guests is forbidden."""
        return self.has(1)

    @property
    def es(self) -> bool:
        """Whether the registers must be encrypted too: SEV-ES, or CSV2."""
        return self.has(2)

    @property
    def nosend(self) -> bool:
        """Whether sending the guest to another platform is forbidden."""
        return self.has(3)

    @property
    def domain(self) -> bool:
        """Whether the guest may only be sent to platforms of the same owner (OCA)."""
        return self.has(4)

    @property
    def debug_allowed(self) -> bool:
        return not self.nodbg

    @property
    def api_major(self) -> int:
        """The least major version of the firmware's API that the guest runs on."""
        return self.value >> 16 & 0xFF

    @property
    def api_minor(self) -> int:
        """The least minor version of the firmware's API that the guest runs on."""
        return self.value >> 24

    def has(self, bit: int) -> bool:
        """Whether ``bit`` is set."""
        return bool(self.value >> bit & 1)


@dataclass(frozen=True, slots=True)
class SevGuestPolicy(PspGuestPolicy):
    """The policy of an SEV or SEV-ES guest."""

    @property
    def sev(self) -> bool:
        """Whether the guest may only be sent to platforms with SEV."""
        return self.has(5)

    @property
    def names(self) -> tuple[str, ...]:
        """The named bits that are set, low to high."""
        return named_bits(self.value & 0x3F, SEV_POLICY_BITS)


@dataclass(frozen=True, slots=True)
class CsvGuestPolicy(PspGuestPolicy):
    """The policy of a Hygon CSV guest. Every bit has a meaning."""

    @property
    def csv(self) -> bool:
        """Whether the guest may only be sent to platforms with CSV."""
        return self.has(5)

    @property
    def csv3(self) -> bool:
        """Whether it is a CSV3 guest, whose memory the host cannot write."""
        return self.has(6)

    @property
    def asid_reuse(self) -> bool:
        """Whether guests of the same owner may share an address space id; it allows, unlike the others."""
        return self.has(7)

    @property
    def hsk_version(self) -> int:
        """The least version of the HSK of a platform that the guest is sent to, 0 to 15."""
        return self.value >> 8 & 0xF

    @property
    def cek_version(self) -> int:
        """The least version of the CEK of a platform that the guest is sent to, 0 to 15."""
        return self.value >> 12 & 0xF

    @property
    def names(self) -> tuple[str, ...]:
        """The named bits that are set, low to high."""
        return named_bits(self.value & 0xFF, CSV_POLICY_BITS)


def parse_sev_policy(value: int, *, offset: int) -> SevGuestPolicy:
    """Raises FormatError if a reserved bit is set."""
    if value & _SEV_RESERVED:
        raise FormatError(
            f"reserved bits {value & _SEV_RESERVED:#x} are set", what="SEV report", field="policy",
            offset=offset, spec="[SEV-API 3]", detail="reserved",
        )  # fmt: skip
    return SevGuestPolicy(value)
