"""What the guest of ``simulated-snp`` is and runs on, where the environment wants it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eaa.attester.simulated_snp_attester import SimulatedSnpMachine
from eaa.codec.text import decode_hex
from eaa.errors import ConfigError, FormatError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["SIMULATED_SNP_GUEST", "SimulatedSnpGuestFields", "simulated_snp_guest"]

#: The guest of ``simulated-snp``: ``name=value``, separated by commas, see docs/reference/instances.md.
SIMULATED_SNP_GUEST = "EAA_SIMULATED_SNP"


@dataclass(frozen=True, slots=True)
class SimulatedSnpGuestFields:
    """For ``AttesterOptions``."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    machine: SimulatedSnpMachine = field(default_factory=SimulatedSnpMachine)
    debug: bool = False


def simulated_snp_guest(environment: Mapping[str, str]) -> SimulatedSnpGuestFields:
    """The guest that :data:`SIMULATED_SNP_GUEST` of ``environment`` asks for; what is unset is as usual.

    Raises:
        ConfigError: ``config.simulated_snp``.
    """
    text = environment.get(SIMULATED_SNP_GUEST, "")
    fields: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = item.partition("=")
        into = fields if name in _FIELDS else machine
        parse = _FIELDS.get(name) or _MACHINE.get(name)
        if parse is None:
            raise _error(f"{name!r:.40} is not known; there are {', '.join([*_FIELDS, *_MACHINE])}")
        try:
            into[name] = parse(value)
        except (ValueError, KeyError, FormatError):
            raise _error(f"{name}: {value!r:.60} cannot be meant") from None
    debug = machine.pop("debug", False)
    made = SimulatedSnpMachine(**machine)
    if made.tcb is not None and (made.tcb.fmc is not None) != made.product.has_fmc:
        raise _error(f"tcb: that of {made.product} has {'five' if made.product.has_fmc else 'four'} numbers")
    return SimulatedSnpGuestFields(fields, made, debug)


def _tcb(text: str) -> TcbVersion:
    """``[fmc.]bootloader.tee.snp.microcode``."""
    numbers = [int(part) for part in text.split(".")]
    if not all(0 <= number <= 0xFF for number in numbers):
        raise ValueError
    *fmc, bootloader, tee, snp, microcode = numbers
    if len(fmc) > 1:
        raise ValueError
    return TcbVersion(
        fmc=fmc[0] if fmc else None, bootloader=bootloader, tee=tee, snp=snp, microcode=microcode
    )


def _octets(size: int) -> Callable[[str], bytes]:
    return lambda text: decode_hex(text, "environment", SIMULATED_SNP_GUEST, length=size)


def _number(text: str) -> int:
    number = int(text, 0)
    if not 0 <= number < 1 << 64:
        raise ValueError
    return number


def _version(text: str) -> int:
    if text not in ("2", "3", "4", "5"):
        raise ValueError
    return int(text)


def _set(text: str) -> bool:
    if text:
        raise ValueError
    return True


_FIELDS: Mapping[str, Callable[[str], Any]] = {
    "measurement": _octets(48),
    "host_data": _octets(32),
    "policy": _number,
}
_MACHINE: Mapping[str, Callable[[str], Any]] = {
    "product": SnpProduct,
    "tcb": _tcb,
    "version": _version,
    "signing_key": lambda text: {"VCEK": SigningKey.VCEK, "VLEK": SigningKey.VLEK}[text],
    "chip": str,
    "debug": _set,
}


def _error(message: str) -> ConfigError:
    return ConfigError(f"{SIMULATED_SNP_GUEST}: {message}", detail="simulated_snp", key=SIMULATED_SNP_GUEST)
