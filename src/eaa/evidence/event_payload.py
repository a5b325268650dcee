"""The typed forms of event data: values only; :mod:`eaa.evidence.event_decode` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.evidence.event_variable import UefiVariable

__all__ = [
    "AAEL_TAG",
    "LINUX_INITRD_TAG",
    "LINUX_LOAD_OPTIONS_TAG",
    "AaelEntry",
    "AaelInit",
    "ConfigFlags",
    "FirmwareBlob",
    "HandoffTables",
    "IplText",
    "LoadedImage",
    "NoAction",
    "Payload",
    "Separator",
    "TaggedEvent",
    "Text",
    "Undecoded",
]

#: "AAEL" read as a big-endian number, written little-endian [COCO-AAEL].
AAEL_TAG = 0x4141454C
#: What the EFI stub of Linux measures [LINUX-EFISTUB].
LINUX_INITRD_TAG = 0x8F3B22EC
LINUX_LOAD_OPTIONS_TAG = 0x8F3B22ED


@dataclass(frozen=True, slots=True)
class Text:
    """An event that is a string: an action, a version, the name of what was measured."""

    text: str


@dataclass(frozen=True, slots=True)
class Separator:
    """``error`` says that the firmware gave up measuring into this register."""

    error: bool


@dataclass(frozen=True, slots=True)
class NoAction:
    """An informative event, never extended; ``signature`` names its structure."""

    signature: str


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A PE/COFF image: boot loader, kernel or driver. The digest is the image's Authenticode hash."""

    location: int
    length: int
    link_time_address: int
    device_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirmwareBlob:
    """Firmware that was measured where it lies; ``description`` only in the second form."""

    description: str | None
    base: int
    length: int


@dataclass(frozen=True, slots=True)
class HandoffTables:
    """Configuration tables, as pairs of GUID and address; ``description`` only in the second form."""

    description: str | None
    tables: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class IplText:
    """What a boot loader says it measured.

    ``kind`` is ``"grub_cmd"``, ``"kernel_cmdline"``, ``"module_cmdline"`` or
    ``"grub_kernel_cmdline"``, and ``measured`` then the string that was hashed. Both are ``None``
    where ``text`` only names a file or a section.
    """

    text: str
    kind: str | None
    measured: str | None


@dataclass(frozen=True, slots=True)
class ConfigFlags:
    """A named block of configuration as td-shim measures it: its digest is that of ``info``."""

    name: str
    info: bytes
    text: str | None


@dataclass(frozen=True, slots=True)
class TaggedEvent:
    """``text`` is ``data`` as a string, where it is one.

    For :data:`LINUX_LOAD_OPTIONS_TAG` and :data:`LINUX_INITRD_TAG` that is a fixed label; the command
    line (UTF-16) and the initrd themselves are in the digest only.
    """

    tag: int
    data: bytes
    text: str | None


@dataclass(frozen=True, slots=True)
class AaelEntry:
    """An entry of the Attestation Agent's event log [COCO-AAEL]."""

    domain: str
    operation: str
    content: str


@dataclass(frozen=True, slots=True)
class AaelInit:
    """The register's value when the Attestation Agent began to log [COCO-AAEL]."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Undecoded:
    """``reason`` says why the data has no typed form; the bytes are in the event."""

    reason: str


Payload = (
    Text
    | Separator
    | NoAction
    | LoadedImage
    | FirmwareBlob
    | HandoffTables
    | IplText
    | ConfigFlags
    | TaggedEvent
    | AaelEntry
    | AaelInit
    | UefiVariable
    | Undecoded
)
