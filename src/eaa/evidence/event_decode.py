"""What the events of a log mean: kernel images and command lines, boot variables, firmware, AAEL entries.

A decoded payload is what the *log* says. Whether the event's digest covers it is another question:
:func:`eaa.evidence.event_digest.check_digest`. A payload that does not decode is no error of the log.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.event_device_path import device_path_nodes, guid_text
from eaa.evidence.event_log import Event
from eaa.evidence.event_payload import (
    AAEL_TAG,
    LINUX_INITRD_TAG,
    LINUX_LOAD_OPTIONS_TAG,
    AaelEntry,
    AaelInit,
    ConfigFlags,
    FirmwareBlob,
    HandoffTables,
    IplText,
    LoadedImage,
    NoAction,
    Payload,
    Separator,
    TaggedEvent,
    Text,
    Undecoded,
)
from eaa.evidence.event_type import EventType
from eaa.evidence.event_variable import parse_variable

__all__ = ["decode_event", "describe_event"]

#: Some kernels wrote the label without the tag before it.
_BARE_LABELS = MappingProxyType(
    {b"LOADED_IMAGE::LoadOptions\0": LINUX_LOAD_OPTIONS_TAG, b"Linux initrd\0": LINUX_INITRD_TAG}
)
#: The forms with a colon are [GRUB-MANUAL Measured Boot]; those with a space are older distribution patches.
_GRUB_PREFIXES = ("grub_cmd: ", "kernel_cmdline: ", "module_cmdline: ", "grub_cmd ", "grub_kernel_cmdline ")
_LAYOUT = str.maketrans("\n\t", "  ")
_AAEL_INIT = re.compile(r"INIT/(sha256|sha384|sha512) ((?:[0-9a-fA-F]{2})+)")


def decode_event(event: Event) -> Payload:
    """The typed form of ``event.data``; :class:`Undecoded` where there is none. Raises nothing."""
    decoder = _DECODERS.get(event.event_type)
    if decoder is None:
        return Undecoded(f"there is no decoder for {event.type_name}")
    try:
        return decoder(event.data, event.type_name)
    except FormatError as error:
        return Undecoded(str(error))


def describe_event(event: Event) -> dict[str, object]:
    """A JSON-ready form for operators: place, type, digests, and the payload under its type's name.

    Byte strings are hex. An undecoded event keeps its data; others drop what the payload repeats.
    """
    payload = decode_event(event)
    description: dict[str, object] = {
        "index": event.index,
        "register": event.register,
        "type": event.type_name,
        "digests": {digest.algorithm.label: digest.value.hex() for digest in event.digests},
        type(payload).__name__: _plain(payload),
    }
    if isinstance(payload, Undecoded):
        description["data"] = event.data.hex()
    return description


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _decode_text(data: bytes, what: str) -> Text:
    text = _string(data)
    if text is None:
        raise Reader(data, what, "[TCG-PFP §10.4.1]").error("event", "not a string")
    return Text(text)


def _string(data: bytes) -> str | None:
    """``data`` as printable UTF-8 or NUL-terminated UTF-16, without the NULs at its end; else ``None``."""
    # Without its NUL, UTF-16 cannot be told from a GUID: most 16-byte strings are printable in it.
    for encoding in ("utf-8", "utf-16-le") if data.endswith(b"\0\0") else ("utf-8",):
        try:
            text = data.decode(encoding).rstrip("\0")
        except UnicodeDecodeError:
            continue
        # Boot loaders log whole menu entries, line feeds and tabs included.
        if text.translate(_LAYOUT).isprintable():
            return text
    return None


def _decode_version(data: bytes, what: str) -> Text:
    """A version string, or the GUID of one."""
    return Text(guid_text(data)) if len(data) == 16 and _string(data) is None else _decode_text(data, what)


def _decode_post_code(data: bytes, what: str) -> Text | FirmwareBlob:
    return _decode_text(data, what) if _string(data) is not None else _decode_blob(data, what)


def _decode_separator(data: bytes, what: str) -> Separator:
    try:
        return Separator({bytes(4): False, b"\xff" * 4: False, b"\1\0\0\0": True}[data])
    except KeyError:
        raise Reader(data, what, "[TCG-PFP §10.4.1]").error("event", "no separator value") from None


def _decode_no_action(data: bytes, what: str) -> NoAction:
    signature = Reader(data, what, "[TCG-PFP §10.4.5]").take(16, "signature")
    return NoAction(_decode_text(signature, what).text)


def _decode_image(data: bytes, what: str) -> LoadedImage:
    reader = Reader(data, what, "[TCG-PFP §10.2.3]")
    location, length = reader.u64("image_location"), reader.u64("image_length")
    link_time_address = reader.u64("image_link_time_address")
    path = reader.take(reader.u64("length_of_device_path"), "device_path")
    reader.end("event")
    return LoadedImage(location, length, link_time_address, device_path_nodes(path, what) if path else ())


def _decode_blob(data: bytes, what: str) -> FirmwareBlob:
    return _parse_blob(Reader(data, what, "[TCG-PFP §10.2.5]"), None)


def _decode_blob2(data: bytes, what: str) -> FirmwareBlob:
    reader = Reader(data, what, "[TCG-PFP §10.2.5]")
    return _parse_blob(reader, _description(reader, what))


def _parse_blob(reader: Reader, description: str | None) -> FirmwareBlob:
    blob = FirmwareBlob(description, reader.u64("blob_base"), reader.u64("blob_length"))
    reader.end("event")
    return blob


def _decode_tables(data: bytes, what: str) -> HandoffTables:
    return _parse_tables(Reader(data, what, "[TCG-PFP §10.2.5]"), None)


def _decode_tables2(data: bytes, what: str) -> HandoffTables:
    reader = Reader(data, what, "[TCG-PFP §10.2.5]")
    return _parse_tables(reader, _description(reader, what))


def _parse_tables(reader: Reader, description: str | None) -> HandoffTables:
    count = reader.u64("number_of_tables")
    if reader.remaining != 24 * count:
        raise reader.error("number_of_tables", f"{count} in {reader.remaining} bytes")
    tables = tuple((guid_text(reader.take(16, "vendor_guid")), reader.u64("table")) for _ in range(count))
    return HandoffTables(description, tables)


def _description(reader: Reader, what: str) -> str:
    return _decode_text(reader.take(reader.u8("description_size"), "description"), what).text


def _decode_ipl(data: bytes, what: str) -> IplText:
    if len(data) >= 4 and len(data) % 2 == 0 and data[1] == 0 and data.endswith(b"\0\0"):
        return IplText(_decode_text(data, what).text, None, None)
    # Patched boot loaders log one byte more than the NUL, whatever it is.
    text = _decode_text(data.split(b"\0", 1)[0], what).text
    for prefix in _GRUB_PREFIXES:
        if text.startswith(prefix):
            return IplText(text, prefix.rstrip(": "), text[len(prefix) :])
    return IplText(text, None, None)


def _decode_config_flags(data: bytes, what: str) -> ConfigFlags | Text:
    name = _string(data[:16])
    if name and len(data) >= 20 and int.from_bytes(data[16:20], "little") == len(data) - 20:
        return ConfigFlags(name, data[20:], _string(data[20:]))
    return _decode_text(data, what)


def _decode_tagged(data: bytes, what: str) -> TaggedEvent | AaelEntry | AaelInit:
    if data in _BARE_LABELS:
        return TaggedEvent(_BARE_LABELS[data], data, _string(data))
    reader = Reader(data, what, "[TCG-PFP §10.4.1]")
    tag = reader.u32("tagged_event_id")
    payload = reader.take(reader.u32("tagged_event_data_size"), "tagged_event_data")
    reader.end("event")
    return _decode_aael(payload) if tag == AAEL_TAG else TaggedEvent(tag, payload, _string(payload))


def _decode_aael(data: bytes) -> AaelEntry | AaelInit:
    reader = Reader(data, "AAEL entry", "[COCO-AAEL]", base=8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise reader.error("entry", "not UTF-8") from None
    if not text.isprintable():
        raise reader.error("entry", "not one line of printable characters")
    if init := _AAEL_INIT.fullmatch(text):
        return AaelInit(init[1], bytes.fromhex(init[2]))
    words = text.split(" ", 2)
    if len(words) != 3 or not all(words):
        raise reader.error("entry", "not domain, operation and content")
    return AaelEntry(*words)


_DECODERS: Mapping[int, Callable[[bytes, str], Payload]] = MappingProxyType(
    {
        EventType.EV_POST_CODE: _decode_post_code,
        EventType.EV_NO_ACTION: _decode_no_action,
        EventType.EV_SEPARATOR: _decode_separator,
        EventType.EV_ACTION: _decode_text,
        EventType.EV_EVENT_TAG: _decode_tagged,
        EventType.EV_S_CRTM_CONTENTS: _decode_version,
        EventType.EV_S_CRTM_VERSION: _decode_version,
        EventType.EV_PLATFORM_CONFIG_FLAGS: _decode_config_flags,
        EventType.EV_IPL: _decode_ipl,
        EventType.EV_OMIT_BOOT_DEVICE_EVENTS: _decode_text,
        EventType.EV_EFI_VARIABLE_DRIVER_CONFIG: parse_variable,
        EventType.EV_EFI_VARIABLE_BOOT: parse_variable,
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION: _decode_image,
        EventType.EV_EFI_BOOT_SERVICES_DRIVER: _decode_image,
        EventType.EV_EFI_RUNTIME_SERVICES_DRIVER: _decode_image,
        EventType.EV_EFI_ACTION: _decode_text,
        EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB: _decode_blob,
        EventType.EV_EFI_HANDOFF_TABLES: _decode_tables,
        EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2: _decode_blob2,
        EventType.EV_EFI_HANDOFF_TABLES2: _decode_tables2,
        EventType.EV_EFI_VARIABLE_BOOT2: parse_variable,
        EventType.EV_EFI_HCRTM_EVENT: _decode_text,
        EventType.EV_EFI_VARIABLE_AUTHORITY: parse_variable,
    }
)
