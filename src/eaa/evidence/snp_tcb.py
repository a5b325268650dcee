"""Products of AMD with SEV-SNP, and the two shapes of their TCB version [SNP-ABI 2.2]."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eaa.errors import FormatError, UnsupportedError

__all__ = [
    "TCB_BYTES",
    "SnpProduct",
    "TcbVersion",
    "is_turin_chip_id",
    "parse_tcb_version",
    "product_of_cpuid",
]

TCB_BYTES = 8
_LEGACY_RESERVED, _FMC_RESERVED = slice(2, 6), slice(4, 7)


class SnpProduct(StrEnum):
    """What AMD issues keys for. Genoa's are also those of Bergamo and Siena [AMD-KDS 1.5]."""

    MILAN = "Milan"
    GENOA = "Genoa"
    TURIN = "Turin"

    @property
    def has_fmc(self) -> bool:
        """Whether its TCB version counts the first mutable code (FMC)."""
        return self is SnpProduct.TURIN


#: Family, then first and last model of each product [AMD-KDS 1.5].
_MODELS = (
    (0x19, 0x00, 0x0F, SnpProduct.MILAN),
    (0x19, 0x10, 0x1F, SnpProduct.GENOA),
    (0x19, 0xA0, 0xAF, SnpProduct.GENOA),
    (0x1A, 0x00, 0x1F, SnpProduct.TURIN),
)


def product_of_cpuid(family: int, model: int) -> SnpProduct:
    """The product with this combined CPUID family and model.

    Raises:
        UnsupportedError: none that is known here.
    """
    for known, first, last, product in _MODELS:
        if family == known and first <= model <= last:
            return product
    raise UnsupportedError(
        f"no product is known with CPUID family {family:#x} and model {model:#x}",
        detail="snp_product", family=family, model=model,
    )  # fmt: skip


def is_turin_chip_id(chip_id: bytes) -> bool:
    """Whether ``chip_id``, 64 bytes, has the 8 bytes that Turin's have, and zeros after them."""
    return any(chip_id[:8]) and not any(chip_id[8:])


@dataclass(frozen=True, slots=True)
class TcbVersion:
    """Security patch levels, each 0 to 255. ``fmc`` is ``None`` before Turin."""

    bootloader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    def encode(self) -> bytes:
        """The 8 bytes that parse to this version."""
        if self.fmc is None:
            return bytes((self.bootloader, self.tee, 0, 0, 0, 0, self.snp, self.microcode))
        return bytes((self.fmc, self.bootloader, self.tee, self.snp, 0, 0, 0, self.microcode))

    def members(self) -> dict[str, int | None]:
        """The levels by name, as documents have them."""
        return {
            "fmc": self.fmc,
            "bootloader": self.bootloader,
            "tee": self.tee,
            "snp": self.snp,
            "microcode": self.microcode,
        }

    def meets(self, minimum: TcbVersion) -> bool:
        """Whether no component is below ``minimum``'s; versions of two shapes do not meet each other."""
        if (self.fmc is None) != (minimum.fmc is None):
            return False
        return all(one >= other for one, other in zip(self._levels, minimum._levels, strict=True))

    @property
    def _levels(self) -> tuple[int, ...]:
        return (self.fmc or 0, self.bootloader, self.tee, self.snp, self.microcode)

    def __str__(self) -> str:
        fmc = "" if self.fmc is None else f"fmc {self.fmc}, "
        return (
            f"{fmc}bootloader {self.bootloader}, tee {self.tee}, snp {self.snp}, microcode {self.microcode}"
        )


def parse_tcb_version(data: bytes, *, has_fmc: bool, field: str, offset: int) -> TcbVersion:
    """The version in ``data``, 8 bytes, which are ``field`` at ``offset`` of a report.

    Raises:
        FormatError: a reserved byte is not zero.
    """
    reserved = _FMC_RESERVED if has_fmc else _LEGACY_RESERVED
    if any(data[reserved]):
        raise FormatError(
            "a reserved byte is not zero", what="SNP report", field=field,
            offset=offset + reserved.start, spec="[SNP-ABI 2.2]", detail="reserved",
        )  # fmt: skip
    if has_fmc:
        return TcbVersion(fmc=data[0], bootloader=data[1], tee=data[2], snp=data[3], microcode=data[7])
    return TcbVersion(bootloader=data[0], tee=data[1], snp=data[6], microcode=data[7])
