"""RTMR0 of a TD: the configuration that EDK II's firmware measures before it starts a kernel handed to it.

In order: the hand-off block, the variable store in the image, the variables of Secure Boot, a separator, what
QEMU says of the machine's ACPI tables, and the boot options [EDK2 TdTcg2Dxe].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eaa.errors import FormatError, UsageError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.measured_td_boot import SEPARATOR, SeparatorRegister, TdEvent
from eaa.evidence.measured_td_hob import td_hob_digest
from eaa.evidence.measured_tdvf import SectionType, TdFirmware

__all__ = ["ACPI_FILES", "SECURE_BOOT_VARIABLES", "configuration_events"]

_SHA384 = HashAlgorithm.SHA384
#: 8be4df61-93ca-11d2-aa0d-00e098032b8c and d719b2cb-3d3a-4596-a3bc-dad00e67656f, as EFI_GUID [UEFI §3.3].
_GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
_IMAGE_SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
#: In the order in which they are measured, with their vendor.
SECURE_BOOT_VARIABLES: Mapping[str, bytes] = {
    "SecureBoot": _GLOBAL, "PK": _GLOBAL, "KEK": _GLOBAL, "db": _IMAGE_SECURITY, "dbx": _IMAGE_SECURITY,
}  # fmt: skip
#: QEMU's files, in the order in which they are measured.
ACPI_FILES = ("etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables")
_BOOT_ORDER = bytes(2)
#: The boot option that EDK II makes for its own menu, which is what it has if nothing else can be booted:
#: active, hidden, an application; "UiApp"; in firmware volume 7cb8bdc9-…, file 462caa21-… [UEFI §3.1.3].
_UI_APP = b"".join(
    (
        bytes.fromhex("09010000 2c00"),
        "UiApp\0".encode("utf-16-le"),
        bytes.fromhex("04071400 c9bdb87cebf8344faaea3ee4af6516a1"),
        bytes.fromhex("04061400 21aa2c4614760345836e8ab6f4662331"),
        bytes.fromhex("7fff0400"),
    )
)


def configuration_events(
    firmware: TdFirmware,
    *,
    memory_mib: int,
    variables: Mapping[str, bytes],
    acpi: Mapping[str, bytes],
    separator: SeparatorRegister,
) -> tuple[TdEvent, ...]:
    """The events of RTMR0, in order.

    Args:
        firmware: the image.
        memory_mib: of the machine.
        variables: the values of those of :data:`SECURE_BOOT_VARIABLES` that exist; the others are measured as
            empty, which is what an image with an empty store has.
        acpi: the SHA-384, 48 bytes, of each of :data:`ACPI_FILES`, as QEMU would hand it out. It depends on
            QEMU's version and on every device.
        separator: where it goes: :class:`SeparatorRegister`.

    Raises:
        UsageError: ``usage.acpi`` or ``usage.variables``: one is missing, or is none of them.
        FormatError: the firmware has not one variable store, or its sections do not fit the memory.
    """
    if acpi.keys() != set(ACPI_FILES) or any(len(value) != _SHA384.digest_size for value in acpi.values()):
        raise UsageError(f"expected a SHA-384 of each of {', '.join(ACPI_FILES)}", detail="acpi")
    if unknown := variables.keys() - SECURE_BOOT_VARIABLES.keys():
        raise UsageError(
            f"{min(unknown)!a:.40} is none of {', '.join(SECURE_BOOT_VARIABLES)}", detail="variables"
        )
    stores = firmware.of(SectionType.CFV)
    if len(stores) != 1:
        raise FormatError(
            f"expected one variable store, came {len(stores)}",
            what="TDX firmware", field="sections", spec="[TDVF Metadata]",
        )  # fmt: skip
    return (
        TdEvent("hand-off block", td_hob_digest(firmware, memory_mib)),
        _event("variable store", stores[0].data),
        *_variables(variables),
        _event("separator", SEPARATOR),
        *(TdEvent(name, acpi[name]) for name in ACPI_FILES),
        _event("BootOrder", _BOOT_ORDER),
        _event("Boot0000", _UI_APP),
        *((_event("separator", SEPARATOR),) if separator is SeparatorRegister.RTMR0 else ()),
    )


def _variables(values: Mapping[str, bytes]) -> Iterator[TdEvent]:
    """Each as UEFI_VARIABLE_DATA [TCG-PFP §10.2.6]."""
    for name, vendor in SECURE_BOOT_VARIABLES.items():
        data = values.get(name, b"")
        lengths = len(name).to_bytes(8, "little") + len(data).to_bytes(8, "little")
        yield _event(name, vendor + lengths + name.encode("utf-16-le") + data)


def _event(name: str, data: bytes) -> TdEvent:
    return TdEvent(name, _SHA384.hash(data))
