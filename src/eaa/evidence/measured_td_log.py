"""What to expect of a TD, taken from the event log of one that booted as it should: a golden log.

The registers are replayed. That they are those of a TD which ran is only established by a quote of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.errors import BindingError
from eaa.evidence.event_decode import decode_event
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Event, EventLog
from eaa.evidence.event_payload import LINUX_LOAD_OPTIONS_TAG, LoadedImage, TaggedEvent
from eaa.evidence.event_replay import compare_with_rtmrs, replay
from eaa.evidence.event_type import EventType

__all__ = ["GoldenLog", "read_golden_log", "require_quoted"]

_SHA384 = HashAlgorithm.SHA384
#: What is measured before the TD runs its own software. RTMR3 is the guest's, and differs from boot to boot.
_REGISTERS = (0, 1, 2)
#: Where firmware gets the kernel of QEMU's ``-kernel`` from [EDK2 QemuLoadKernelImage].
_KERNEL_PATH = ("VenMedia(1428f772-b64a-441e-b8c3-9ebdd7f893c7)", "kernel")


@dataclass(frozen=True, slots=True)
class GoldenLog:
    """``rtmrs`` by number, 48 bytes each, as far as the log extends them. Digests are 48 bytes.

    ``kernel`` is the digest of the kernel that firmware loaded from QEMU, ``load_options`` that of what was
    passed to it; ``None`` where the log has not exactly one such event.
    """

    rtmrs: Mapping[int, bytes]
    kernel: bytes | None
    load_options: bytes | None


def read_golden_log(log: EventLog) -> GoldenLog:
    """Registers and digests of ``log``, of which nothing is verified.

    Raises:
        FormatError: no SHA-384 bank, or an extended event lacks its digest.
    """
    values = replay(log, _SHA384)
    return GoldenLog(
        MappingProxyType({number: values[number + 1] for number in _REGISTERS if number + 1 in values}),
        _digest(log, _is_kernel),
        _digest(log, _is_load_options),
    )


def require_quoted(log: EventLog, rtmrs: tuple[bytes, bytes, bytes, bytes]) -> None:
    """Require that RTMR0 to RTMR2 of a quote, ``rtmrs`` of 48 bytes each, are what ``log`` replays to.

    That the quote is genuine is the caller's business.

    Raises:
        BindingError: ``binding.event_log``: one is not; says what is known of where they part.
        FormatError: no SHA-384 bank, or an extended event lacks its digest.
    """
    for compared in compare_with_rtmrs(log, rtmrs)[: len(_REGISTERS)]:
        if compared.parting is not None:
            raise BindingError(
                f"RTMR{compared.rtmr} of the quote is not what the log says: {compared.parting.describe()}",
                detail="event_log", rtmr=compared.rtmr,
            )  # fmt: skip


def _digest(log: EventLog, wanted: Callable[[Event], bool]) -> bytes | None:
    """The digest of the one event that is ``wanted``; of several, no one is the kernel."""
    found = [event.digest(_SHA384) for event in log.events if wanted(event)]
    return found[0] if len(found) == 1 else None


def _is_kernel(event: Event) -> bool:
    payload = decode_event(event)
    return (
        event.event_type == EventType.EV_EFI_BOOT_SERVICES_APPLICATION
        and isinstance(payload, LoadedImage)
        and payload.device_path == _KERNEL_PATH
    )


def _is_load_options(event: Event) -> bool:
    payload = decode_event(event)
    return isinstance(payload, TaggedEvent) and payload.tag == LINUX_LOAD_OPTIONS_TAG
