"""RTMR1 and RTMR2 of a TD whose firmware starts a Linux kernel that QEMU hands to it (``-kernel``).

A register is a hash chain over the digests of events, from zeros. Of a boot loader such as GRUB, or of a
unified kernel image, the events are others: their registers are taken from a log,
:mod:`eaa.evidence.measured_td_log`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from eaa.errors import UsageError
from eaa.evidence.event_hash import HashAlgorithm

__all__ = [
    "SEPARATOR",
    "InitrdArgument",
    "SeparatorRegister",
    "TdEvent",
    "boot_events",
    "command_line_events",
    "extend_all",
    "load_options",
]

#: What is hashed where the firmware hands over: EV_SEPARATOR without error [TCG-PFP §10.4.1].
SEPARATOR = bytes(4)
_CALLING = b"Calling EFI Application from Boot Option"
_EXITING = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
_INITRD = "initrd=initrd"
_SHA384 = HashAlgorithm.SHA384


class SeparatorRegister(StrEnum):
    """Which register gets the separator before the first boot attempt [EDK2 OnReadyToBoot]."""

    #: As EDK II has it now. In logs of firmware that declares its memory as release 2025.02 does.
    RTMR1 = "rtmr1"
    #: As it was. In logs of firmware that declares its memory as releases 2022.11 to 2024.02 do.
    RTMR0 = "rtmr0"


class InitrdArgument(StrEnum):
    """Where the firmware writes ``initrd=initrd`` if there is an initrd [EDK2 QemuLoadKernelImage]."""

    #: After the command line: older EDK II.
    LAST = "last"
    #: Before it: newer, by edk2-stable202511.
    FIRST = "first"
    #: Nowhere: the command line has it already, or another loader passes it.
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TdEvent:
    """One extension of a register, 48 bytes, and what it stands for."""

    name: str
    digest: bytes


def extend_all(events: Iterable[TdEvent]) -> bytes:
    """The register after ``events``, 48 bytes."""
    value = bytes(_SHA384.digest_size)
    for event in events:
        value = _SHA384.hash(value + event.digest)
    return value


def boot_events(kernel: bytes, separator: SeparatorRegister) -> tuple[TdEvent, ...]:
    """The events of RTMR1, in order [EDK2 OnReadyToBoot], [EDK2 OnExitBootServices].

    Args:
        kernel: the PE digest of the kernel image, 48 bytes: :func:`eaa.evidence.measured_pe.pe_image_digest`.
        separator: see the class.
    """
    between = (_event("separator", SEPARATOR),) if separator is SeparatorRegister.RTMR1 else ()
    return (
        TdEvent("kernel", kernel),
        _event(_CALLING.decode(), _CALLING),
        *between,
        *(_event(text.decode(), text) for text in _EXITING),
    )


def load_options(command_line: str, *, initrd: bool, argument: InitrdArgument) -> bytes:
    """What the firmware passes to the kernel as load options: UTF-16, little-endian, with a NUL after it.

    Raises:
        UsageError: ``usage.command_line``: nothing would be passed, or it is not ASCII without NUL.
    """
    if not command_line.isascii() or "\0" in command_line:
        raise UsageError("the command line: expected ASCII without NUL", detail="command_line")
    text = command_line
    if initrd and argument is InitrdArgument.LAST:
        text = f"{command_line} {_INITRD}"
    elif initrd and argument is InitrdArgument.FIRST:
        text = f"{_INITRD} {command_line}"
    if not text:
        raise UsageError("the command line: expected at least one character", detail="command_line")
    return (text + "\0").encode("utf-16-le")


def command_line_events(options: bytes, initrd: bytes | None) -> Sequence[TdEvent]:
    """The events of RTMR2, as the EFI stub of Linux measures them [LINUX-EFISTUB].

    Args:
        options: of :func:`load_options`.
        initrd: the SHA-384 of the initrd, 48 bytes, or ``None`` if there is none.
    """
    events = [_event("command line", options)]
    if initrd is not None:
        events.append(TdEvent("initrd", initrd))
    return events


def _event(name: str, data: bytes) -> TdEvent:
    return TdEvent(name, _SHA384.hash(data))
