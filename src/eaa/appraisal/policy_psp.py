"""The parts of an appraisal policy that are about AMD SEV and SEV-ES, and about Hygon CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import UsageError
from eaa.evidence.psp_policy import CSV_POLICY_BITS, SEV_POLICY_BITS

__all__ = ["CsvPolicy", "PspPolicy", "SevPolicy"]

_MAX_BUILD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PspPolicy:
    """What both have.

    Attributes:
        required_guest_policy, refused_guest_policy: names of bits of the guest policy that must be set, or
            clear. ``NODBG`` is required by ``allow_debug`` of the whole policy.
        minimum_api: major and minor version of the firmware's API that the guest policy must ask for: the
            firmware starts the guest on no earlier one.

    Raises:
        UsageError: a value that could never be meant.
    """

    TEE: ClassVar[str]
    BITS: ClassVar[Mapping[int, str]]

    required_guest_policy: frozenset[str] = frozenset({"ES", "NOKS", "NOSEND"})
    refused_guest_policy: frozenset[str] = frozenset()
    minimum_api: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        known = set(self.BITS.values()) - {"NODBG"}
        for field in ("required_guest_policy", "refused_guest_policy"):
            names = getattr(self, field)
            if not isinstance(names, frozenset) or not names <= known:
                raise self._error(field, f"expected a frozenset of names among {', '.join(sorted(known))}")
        if both := self.required_guest_policy & self.refused_guest_policy:
            raise self._error("required_guest_policy", f"{', '.join(sorted(both))} is refused as well")
        for number in self.minimum_api or ():
            self._require_number("minimum_api", number, 0xFF)

    def _require_number(self, field: str, value: int, maximum: int) -> None:
        if type(value) is not int or not 0 <= value <= maximum:
            raise self._error(field, f"expected an integer from 0 to {maximum}, came {value!r:.40}")

    def _error(self, field: str, message: str) -> UsageError:
        return UsageError(f"policy: {self.TEE}: {field}: {message}", detail=f"policy_{field}", field=field)


@dataclass(frozen=True, slots=True)
class SevPolicy(PspPolicy):
    """What is acceptable of an SEV or SEV-ES guest.

    As made, the guest must be an SEV-ES guest, whose key no other guest may share and that no host may send
    away.
    """

    TEE: ClassVar[str] = "sev"
    BITS: ClassVar[Mapping[int, str]] = SEV_POLICY_BITS


@dataclass(frozen=True, slots=True)
class CsvPolicy(PspPolicy):
    """What is acceptable of a CSV guest; as made, what is of an SEV guest, and no sharing of ASIDs.

    Attributes:
        minimum_build: of the firmware; only reports of version 2 name it.
        require_signer_mac: the HMAC over PEK and serial number must have been verified here, and not only by
            whoever collected the report. It is under a nonce that is in the report, and binds nothing.
    """

    TEE: ClassVar[str] = "csv"
    BITS: ClassVar[Mapping[int, str]] = CSV_POLICY_BITS

    refused_guest_policy: frozenset[str] = frozenset({"ASID_REUSE"})
    minimum_build: int | None = None
    require_signer_mac: bool = False

    def __post_init__(self) -> None:
        # Without arguments super() does not work in a slotted dataclass.
        PspPolicy.__post_init__(self)
        if self.minimum_build is not None:
            self._require_number("minimum_build", self.minimum_build, _MAX_BUILD)
        if type(self.require_signer_mac) is not bool:
            came = repr(self.require_signer_mac)
            raise self._error("require_signer_mac", f"expected True or False, came {came:.40}")
