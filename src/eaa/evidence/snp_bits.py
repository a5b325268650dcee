"""The bit fields of an SNP report by name: guest policy, platform info, key info.

Each is refused if a bit is set that has no name here: what a bit means decides whether it is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from eaa.errors import FormatError
from eaa.evidence.bits import named_bits

__all__ = [
    "GUEST_POLICY_BITS",
    "PLATFORM_INFO_BITS",
    "GuestPolicy",
    "KeyInfo",
    "PlatformInfo",
    "SigningKey",
    "parse_guest_policy",
    "parse_key_info",
    "parse_platform_info",
]

#: Guest policy above the ABI version in bits 0–15 [SNP-ABI 4.3]; bit 17 must be one.
GUEST_POLICY_BITS: Mapping[int, str] = {
    16: "SMT",
    18: "MIGRATE_MA",
    19: "DEBUG",
    20: "SINGLE_SOCKET",
    21: "CXL_ALLOW",
    22: "MEM_AES_256_XTS",
    23: "RAPL_DIS",
    24: "CIPHERTEXT_HIDING_DRAM",
    25: "PAGE_SWAP_DISABLE",
}
#: [SNP-ABI 7.3], table PLATFORM_INFO.
PLATFORM_INFO_BITS: Mapping[int, str] = {
    0: "SMT_EN",
    1: "TSME_EN",
    2: "ECC_EN",
    3: "RAPL_DIS",
    4: "CIPHERTEXT_HIDING_DRAM_EN",
    5: "ALIAS_CHECK_COMPLETE",
    6: "IOMMU_WRITE_SAFE",
    7: "TIO_EN",
}
_MUST_BE_ONE = 17
_KNOWN_POLICY = 0xFFFF | sum(1 << bit for bit in (*GUEST_POLICY_BITS, _MUST_BE_ONE))
_KNOWN_PLATFORM = sum(1 << bit for bit in PLATFORM_INFO_BITS)


class SigningKey(IntEnum):
    """Which key signs the report [SNP-ABI 7.3]."""

    VCEK = 0
    VLEK = 1
    NONE = 7


@dataclass(frozen=True, slots=True)
class GuestPolicy:
    """What the guest's owner allowed at launch. ``value`` is the field as received."""

    value: int

    @property
    def abi_minor(self) -> int:
        """The least minor version of the firmware's ABI that the guest runs on."""
        return self.value & 0xFF

    @property
    def abi_major(self) -> int:
        """The least major version of the firmware's ABI that the guest runs on."""
        return self.value >> 8 & 0xFF

    @property
    def smt_allowed(self) -> bool:
        return self._has(16)

    @property
    def migrate_ma_allowed(self) -> bool:
        """Whether a migration agent may be bound to the guest."""
        return self._has(18)

    @property
    def debug_allowed(self) -> bool:
        """Whether the host may read and change the guest's memory."""
        return self._has(19)

    @property
    def single_socket_required(self) -> bool:
        return self._has(20)

    @property
    def names(self) -> tuple[str, ...]:
        """The named bits that are set, low to high."""
        return named_bits((self.value & ~(1 << _MUST_BE_ONE)) >> 16 << 16, GUEST_POLICY_BITS)

    def _has(self, bit: int) -> bool:
        return bool(self.value >> bit & 1)


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """How the platform is configured. ``value`` is the field as received."""

    value: int

    @property
    def smt_enabled(self) -> bool:
        return bool(self.value & 1)

    @property
    def tsme_enabled(self) -> bool:
        return bool(self.value >> 1 & 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The bits that are set, low to high."""
        return named_bits(self.value, PLATFORM_INFO_BITS)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """With which key the firmware signed, and what of keys it left out."""

    author_key_enabled: bool
    mask_chip_key: bool
    signing_key: SigningKey


def parse_guest_policy(value: int, *, offset: int) -> GuestPolicy:
    """Raises FormatError if a bit is unknown, or bit 17 is zero."""
    if not value >> _MUST_BE_ONE & 1:
        raise _error("policy", offset, f"bit {_MUST_BE_ONE} must be one, came {value:#x}", "[SNP-ABI 4.3]")
    _refuse_unknown(value & ~_KNOWN_POLICY, "policy", offset, "[SNP-ABI 4.3]")
    return GuestPolicy(value)


def parse_platform_info(value: int, *, offset: int) -> PlatformInfo:
    """Raises FormatError if a bit is unknown."""
    _refuse_unknown(value & ~_KNOWN_PLATFORM, "platform_info", offset, "[SNP-ABI 7.3]")
    return PlatformInfo(value)


def parse_key_info(value: int, *, offset: int) -> KeyInfo:
    """Raises FormatError if a bit is unknown, or the signing key is."""
    _refuse_unknown(value >> 5 << 5, "key_info", offset, "[SNP-ABI 7.3]")
    number = value >> 2
    if number not in _SIGNING_KEYS:
        raise _error("key_info", offset, f"signing key {number} is reserved", "[SNP-ABI 7.3]")
    return KeyInfo(bool(value & 1), bool(value & 2), SigningKey(number))


_SIGNING_KEYS = frozenset(int(key) for key in SigningKey)


def _refuse_unknown(bits: int, field: str, offset: int, spec: str) -> None:
    if bits:
        raise _error(field, offset, f"unknown bits {bits:#x} are set", spec)


def _error(field: str, offset: int, message: str, spec: str) -> FormatError:
    return FormatError(message, what="SNP report", field=field, offset=offset, spec=spec, detail="reserved")
