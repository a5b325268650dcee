"""The part of an appraisal policy that is about SEV-SNP."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from eaa.errors import UsageError
from eaa.evidence.snp_bits import GUEST_POLICY_BITS, PLATFORM_INFO_BITS
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["SnpPolicy"]

#: As AMD writes them. A misspelt id would never match, and so never accept anything.
_ADVISORY_ID = re.compile(r"AMD-SB-[0-9]{4}")
_MAX_VMPL = 3


@dataclass(frozen=True, slots=True)
class SnpPolicy:
    """What is acceptable of an SNP guest and its platform.

    Attributes:
        accepted_advisories: bulletins, e.g. ``AMD-SB-3027``, that a platform may lack the fixes of. Which
            bulletins are known is in :mod:`eaa.appraisal.amd_advisories`.
        minimum_tcb: at most one for each product; the reported and the launch TCB must not be below it in
            any part. Once there is one, a product without one is refused.
        allow_provisional_firmware: the firmware that runs need not be committed. The host can go back to
            the committed one, and with it to the TCB of it, without the guest's knowledge.
        require_vcek: the key must be the chip's own, not a VLEK, which a cloud loads into its chips.
        allow_masked_chip_id: a VCEK's report may leave its chip id out. Key and TCB bind it to the chip
            nevertheless; which chip it is, only the certificate says.
        required_guest_policy, refused_guest_policy: names of bits that must be set, or clear, see
            ``GUEST_POLICY_BITS``. ``DEBUG`` is refused by ``allow_debug`` of the whole policy.
        required_platform_info, refused_platform_info: likewise, see ``PLATFORM_INFO_BITS``.
        minimum_abi: major and minor version of the firmware's ABI that the guest policy must ask for.
        max_vmpl: of who asked for the report, 0 to 3. At 0 nobody in the guest has more privilege.
        required_mitigations: bits that the launch and the current mitigation vector must have. Only
            reports from version 5 on have the vectors.

    Raises:
        UsageError: a value that could never be meant.
    """

    accepted_advisories: frozenset[str] = frozenset()
    minimum_tcb: tuple[tuple[SnpProduct, TcbVersion], ...] = ()
    allow_provisional_firmware: bool = False
    require_vcek: bool = False
    allow_masked_chip_id: bool = False
    required_guest_policy: frozenset[str] = frozenset()
    refused_guest_policy: frozenset[str] = frozenset({"MIGRATE_MA"})
    required_platform_info: frozenset[str] = frozenset()
    refused_platform_info: frozenset[str] = frozenset()
    minimum_abi: tuple[int, int] | None = None
    max_vmpl: int = 0
    required_mitigations: int = 0

    def __post_init__(self) -> None:
        for name in ("allow_provisional_firmware", "require_vcek", "allow_masked_chip_id"):
            value = getattr(self, name)
            if type(value) is not bool:
                raise _error(name, f"expected True or False, came {value!r:.40}")
        _require_advisories(self.accepted_advisories)
        _require_tcbs(self.minimum_tcb)
        guest, platform = set(GUEST_POLICY_BITS.values()) - {"DEBUG"}, PLATFORM_INFO_BITS.values()
        for name in ("guest_policy", "platform_info"):
            _require_bits(self, name, guest if name == "guest_policy" else platform)
        if self.minimum_abi is not None:
            _require_abi(self.minimum_abi)
        _require_number("max_vmpl", self.max_vmpl, _MAX_VMPL)
        _require_number("required_mitigations", self.required_mitigations, (1 << 64) - 1)

    def minimum_of(self, product: SnpProduct) -> TcbVersion | None:
        """The minimum TCB of ``product``, if there is one."""
        return dict(self.minimum_tcb).get(product)


def _require_advisories(advisories: frozenset[str]) -> None:
    # A plain string is iterable too: its letters would be taken for ids.
    if not isinstance(advisories, frozenset):
        raise _error("accepted_advisories", "expected a frozenset of ids")
    for item in sorted(advisories, key=str):
        if not isinstance(item, str) or not _ADVISORY_ID.fullmatch(item):
            raise _error("accepted_advisories", f"expected ids such as AMD-SB-3027, came {item!r:.40}")


def _require_tcbs(minimum: tuple[tuple[SnpProduct, TcbVersion], ...]) -> None:
    for product, tcb in minimum:
        if (tcb.fmc is not None) != product.has_fmc:
            raise _error("minimum_tcb", f"a TCB of {product} has {'an' if product.has_fmc else 'no'} FMC")
        for name in ("fmc", "bootloader", "tee", "snp", "microcode"):
            _require_number("minimum_tcb", getattr(tcb, name) or 0, 0xFF)
    if len(dict(minimum)) != len(minimum):
        raise _error("minimum_tcb", "expected at most one for each product")


def _require_bits(policy: SnpPolicy, name: str, known: Collection[str]) -> None:
    required: frozenset[str] = getattr(policy, f"required_{name}")
    refused: frozenset[str] = getattr(policy, f"refused_{name}")
    for field, names in ((f"required_{name}", required), (f"refused_{name}", refused)):
        if not isinstance(names, frozenset) or not names <= set(known):
            raise _error(field, f"expected a frozenset of names among {', '.join(sorted(known))}")
    if both := required & refused:
        raise _error(f"required_{name}", f"{', '.join(sorted(both))} is refused as well")


def _require_abi(abi: tuple[int, int]) -> None:
    for number in abi:
        _require_number("minimum_abi", number, 0xFF)


def _require_number(name: str, value: int, maximum: int) -> None:
    if type(value) is not int or not 0 <= value <= maximum:
        raise _error(name, f"expected an integer from 0 to {maximum}, came {value!r:.40}")


def _error(field: str, message: str) -> UsageError:
    return UsageError(f"policy: snp: {field}: {message}", detail=f"policy_{field}", field=field)
