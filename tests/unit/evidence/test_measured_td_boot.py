"""RTMR0 to RTMR2 of a kernel that firmware gets from QEMU."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import pytest

from eaa.errors import FormatError, UsageError
from eaa.evidence.measured_td_boot import (
    InitrdArgument,
    SeparatorRegister,
    TdEvent,
    boot_events,
    command_line_events,
    extend_all,
    load_options,
)
from eaa.evidence.measured_td_config import ACPI_FILES, SECURE_BOOT_VARIABLES, configuration_events
from eaa.evidence.measured_td_hob import td_hob_digest
from eaa.evidence.measured_tdvf import SectionType, TdFirmware, TdvfSection

RTMR0, RTMR1 = SeparatorRegister.RTMR0, SeparatorRegister.RTMR1
ACPI = {name: hashlib.sha384(name.encode()).digest() for name in ACPI_FILES}
#: The option that firmware logs as Boot0000, of every log among the vectors.
UI_APP = (
    "090100002c0055006900410070007000000004071400c9bdb87cebf8344faaea3ee4af6516a1"
    "0406140021aa2c4614760345836e8ab6f46623317fff0400"
)


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def test_a_register_is_a_chain_from_zeros() -> None:
    first, second = TdEvent("a", sha384(b"a")), TdEvent("b", sha384(b"b"))
    assert extend_all(()) == bytes(48)
    assert extend_all((first, second)) == sha384(sha384(bytes(48) + first.digest) + second.digest)


def test_the_events_of_rtmr1() -> None:
    kernel = sha384(b"kernel")
    expected = [
        kernel,
        sha384(b"Calling EFI Application from Boot Option"),
        sha384(bytes(4)),
        sha384(b"Exit Boot Services Invocation"),
        sha384(b"Exit Boot Services Returned with Success"),
    ]
    assert [event.digest for event in boot_events(kernel, RTMR1)] == expected
    assert [event.digest for event in boot_events(kernel, RTMR0)] == [*expected[:2], *expected[3:]]


@pytest.mark.parametrize(
    ("initrd", "argument", "text"),
    [
        (True, InitrdArgument.LAST, "quiet initrd=initrd\0"),
        (True, InitrdArgument.FIRST, "initrd=initrd quiet\0"),
        (True, InitrdArgument.NONE, "quiet\0"),
        (False, InitrdArgument.LAST, "quiet\0"),
        (False, InitrdArgument.FIRST, "quiet\0"),
    ],
)
def test_what_the_kernel_is_passed(initrd: bool, argument: InitrdArgument, text: str) -> None:
    assert load_options("quiet", initrd=initrd, argument=argument) == text.encode("utf-16-le")


@pytest.mark.parametrize("command_line", ["", "a\0b", "caf\u00e9"])
def test_no_command_line(command_line: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_options(command_line, initrd=False, argument=InitrdArgument.LAST)
    assert caught.value.code == "usage.command_line"


def test_the_events_of_rtmr2() -> None:
    initrd = sha384(b"initrd")
    assert [event.digest for event in command_line_events(b"q\0", initrd)] == [sha384(b"q\0"), initrd]
    assert [event.name for event in command_line_events(b"q\0", None)] == ["command line"]


FIRMWARE = TdFirmware(
    (
        TdvfSection(SectionType.CFV, 0xFFC00000, 0x1000, b"store".ljust(0x1000), False, True),
        TdvfSection(SectionType.TD_HOB, 0x9000, 0x1000, b"", False, True),
    )
)


def config(
    *,
    variables: dict[str, bytes] | None = None,
    acpi: dict[str, bytes] | None = None,
    separator: SeparatorRegister = RTMR1,
    firmware: TdFirmware = FIRMWARE,
) -> list[bytes]:
    events = configuration_events(
        firmware,
        memory_mib=1024,
        variables=variables or {},
        acpi=ACPI if acpi is None else acpi,
        separator=separator,
    )
    return [event.digest for event in events]


def variable(vendor: str, name: str, data: bytes) -> bytes:
    lengths = len(name).to_bytes(8, "little") + len(data).to_bytes(8, "little")
    return sha384(uuid.UUID(vendor).bytes_le + lengths + name.encode("utf-16-le") + data)


def test_the_events_of_rtmr0() -> None:
    boot = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
    security = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
    expected = [
        td_hob_digest(FIRMWARE, 1024),
        sha384(b"store".ljust(0x1000)),
        variable(boot, "SecureBoot", b"\1"),
        variable(boot, "PK", b""),
        variable(boot, "KEK", b""),
        variable(security, "db", b"list"),
        variable(security, "dbx", b""),
        sha384(bytes(4)),
        *(ACPI[name] for name in ("etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables")),
        sha384(bytes(2)),
        sha384(bytes.fromhex(UI_APP)),
    ]
    given = {"db": b"list", "SecureBoot": b"\1"}
    assert config(variables=given) == expected
    assert config(variables=given, separator=RTMR0) == [*expected, sha384(bytes(4))]
    assert set(given) < set(SECURE_BOOT_VARIABLES)


@pytest.mark.parametrize(
    "acpi", [{}, dict(list(ACPI.items())[:2]), ACPI | {"etc/other": bytes(48)}, ACPI | {ACPI_FILES[0]: b"x"}]
)
def test_all_acpi_digests_are_needed(acpi: dict[str, bytes]) -> None:
    with pytest.raises(UsageError) as caught:
        config(acpi=acpi)
    assert caught.value.code == "usage.acpi"


def test_a_variable_that_is_not_measured() -> None:
    with pytest.raises(UsageError) as caught:
        config(variables={"MokList": b""})
    assert caught.value.code == "usage.variables"


@pytest.mark.parametrize("stores", [0, 2])
def test_one_variable_store(stores: int) -> None:
    store, block = FIRMWARE.sections
    with pytest.raises(FormatError, match="variable store"):
        config(firmware=replace(FIRMWARE, sections=(*[store] * stores, block)))
