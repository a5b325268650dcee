"""Whether the digest of an event is the hash of the data that the log carries beside it.

What is hashed depends on the event's type, and for some types on who wrote the event. Where the
specification or the writer's documentation says that the data is hashed, a digest of anything else is
:attr:`DigestCheck.DIFFERS`. Where the digest is of something that the log only names (an image, a
table, a file), only a match says something.
"""

from __future__ import annotations

from enum import StrEnum

from eaa.evidence.event_decode import decode_event
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Event
from eaa.evidence.event_payload import (
    LINUX_LOAD_OPTIONS_TAG,
    AaelEntry,
    AaelInit,
    ConfigFlags,
    IplText,
    Separator,
    TaggedEvent,
)
from eaa.evidence.event_type import EventType
from eaa.evidence.event_variable import UefiVariable

__all__ = ["DigestCheck", "check_digest", "matches_load_options", "preimages"]

#: The digest of a separator that reports an error; its data then explains the error [TCG-PFP §2.3.4].
_SEPARATOR_ERROR = b"\1\0\0\0"
_COVERED = frozenset(
    {
        EventType.EV_SEPARATOR,
        EventType.EV_ACTION,
        EventType.EV_S_CRTM_VERSION,
        EventType.EV_OMIT_BOOT_DEVICE_EVENTS,
        EventType.EV_EFI_VARIABLE_DRIVER_CONFIG,
        EventType.EV_EFI_GPT_EVENT,
        EventType.EV_EFI_ACTION,
        EventType.EV_EFI_SPDM_DEVICE_POLICY,
    }
)
_VARIABLES = frozenset(
    {
        EventType.EV_EFI_VARIABLE_BOOT,
        EventType.EV_EFI_VARIABLE_BOOT2,
        EventType.EV_EFI_VARIABLE_AUTHORITY,
    }
)


class DigestCheck(StrEnum):
    """Whether a digest is the hash of data that the log carries."""

    MATCHES = "matches"
    #: The event's type says that it is, and it is not: data and digest do not belong together.
    DIFFERS = "differs"
    #: The digest is of something that is not in the log, such as an image or a table.
    NOT_COVERED = "not-covered"


def check_digest(event: Event, algorithm: HashAlgorithm) -> DigestCheck:
    """Whether the event's digest is the hash of what its data says was measured.

    :attr:`DigestCheck.MATCHES` binds the data to the digest, nothing more: whoever writes a log can
    write both. Only with a register that matches evidence is the data what was measured.

    Raises:
        FormatError: the event has no digest of ``algorithm``.
    """
    digest = event.digest(algorithm)
    if any(algorithm.hash(preimage) == digest for preimage in preimages(event)):
        return DigestCheck.MATCHES
    return DigestCheck.DIFFERS if _is_covered(event) else DigestCheck.NOT_COVERED


def matches_load_options(event: Event, command_line: str, algorithm: HashAlgorithm) -> bool:
    """Whether ``event`` measured ``command_line`` as the load options of a Linux kernel.

    The log has only a label; the digest is of the UTF-16 string, with or without a NUL after it, as
    the loader passed it [LINUX-EFISTUB]. GRUB puts ``BOOT_IMAGE=`` before what it logs itself.

    Raises:
        FormatError: the event has no digest of ``algorithm``.
    """
    payload = decode_event(event)
    if not isinstance(payload, TaggedEvent) or payload.tag != LINUX_LOAD_OPTIONS_TAG:
        return False
    options = command_line.encode("utf-16-le")
    return event.digest(algorithm) in (algorithm.hash(options), algorithm.hash(options + b"\0\0"))


def preimages(event: Event) -> tuple[bytes, ...]:
    """What the event's digest may be a hash of, of all that the log carries."""
    known: tuple[bytes, ...] = (event.data,)
    match event.event_type, decode_event(event):
        case EventType.EV_NO_ACTION, _:
            known = ()
        case EventType.EV_SEPARATOR, payload if payload != Separator(error=False):
            known = (event.data, _SEPARATOR_ERROR)
        case kind, UefiVariable(data=data) if kind in _VARIABLES:
            # EDK II hashes boot variables without GUID and name; older shims did so with authorities.
            known = (event.data, data)
        case _, IplText(measured=str(measured)):
            known = (measured.encode(), measured.encode() + b"\0")
        case _, IplText(text=text):
            # systemd's stub hashes a section's name in ASCII with its NUL, then the section itself.
            known = (event.data, text.encode() + b"\0")
        case _, ConfigFlags(info=info):
            known = (event.data, info)
    return known


def _is_covered(event: Event) -> bool:
    """Whether the event's type and form say that its digest is of data in the log."""
    if event.event_type in _COVERED:
        return True
    match decode_event(event):
        case AaelEntry() | AaelInit() | UefiVariable() | IplText(measured=str()):
            return True
    return False
