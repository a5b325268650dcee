"""Event logs as Trustee's policies know them: ``uefi_event_logs`` [COCO-CLAIMS UEFI Eventlog].

Texts are Trustee's, not the specifications' (``ACPI(PNP0A03,0)``), since policies compare with them. Nodes
of device paths that boot logs do not have are ``Path(type,subtype,data)``. An event that cannot be read, for
which Trustee refuses the whole log, has empty details; so has one that Trustee does not read.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from eaa.codec.reader import Reader
from eaa.codec.strict_json import parse_json
from eaa.errors import FormatError
from eaa.evidence.event_device_path import guid_text
from eaa.evidence.event_log import Event, EventLog
from eaa.evidence.event_payload import AAEL_TAG
from eaa.evidence.event_type import EventType

__all__ = ["event_log_claims"]

_WHAT = "event log"
_Details = dict[str, Any]


def event_log_claims(log: EventLog) -> list[dict[str, Any]]:
    """One object for each event after the header.

    Its members: index, type_name, digest_matches_event, digests, event, details.
    """
    return [_event(event) for event in log.events]


def _event(event: Event) -> dict[str, Any]:
    return {
        "index": event.register,
        "type_name": event.type_name,
        # Of the whole data: what covers more or less than it does not match [COCO-CLAIMS UEFI Eventlog].
        "digest_matches_event": all(item.algorithm.hash(event.data) == item.value for item in event.digests),
        "digests": [{"alg": item.algorithm.label, "digest": item.value.hex()} for item in event.digests],
        "event": base64.b64encode(event.data).decode(),
        "details": _details(event),
    }


def _details(event: Event) -> _Details:
    decoder = _DECODERS.get(event.event_type)
    if decoder is None:
        return {}
    try:
        return decoder(event.data)
    except (FormatError, UnicodeDecodeError):
        return {}


def _string(data: bytes) -> _Details:
    return {"string": data.decode()}


def _described(data: bytes) -> _Details:
    """A string after its size, which counts the NUL that ends it."""
    return {"string": data[1 : max(data[0], 1)].decode()} if data else {}


def _config_flags(data: bytes) -> _Details:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"string": ""}
    # Trustee replaces U+0010, where it means perhaps a line feed.
    return {"string": re.sub(r"[\x00-\x1f\x7f-\x9f]", "", text.replace("\x10", " "))}


def _ipl(data: bytes) -> _Details:
    if len(data) < 2:
        return {}
    if data[:2] == b".\0":
        return (
            {"string": data[2:-2].decode("utf-16-le", "replace")}
            if len(data) > 2 and len(data) % 2 == 0
            else {}
        )
    try:
        return {"string": data.partition(b"\0")[0].decode()}
    except UnicodeDecodeError:
        return {"string": data.hex()}


def _variable(data: bytes) -> _Details:
    reader = Reader(data, _WHAT, "[TCG-PFP §10.2.6]")
    guid = reader.take(16, "variable_name")
    name_length, data_length = reader.u64("unicode_name_length"), reader.u64("variable_data_length")
    name = reader.take(2 * name_length, "unicode_name").decode("utf-16-le")
    value = reader.take(data_length, "variable_data")
    # The bytes as they lie, where a GUID's text has its first three fields turned round.
    parts = (guid[:4], guid[4:6], guid[6:8], guid[8:10], guid[10:])
    return {
        "unicode_name": name,
        "unicode_name_length": name_length,
        "variable_data": base64.b64encode(value).decode(),
        "variable_data_length": data_length,
        "variable_name": "-".join(part.hex() for part in parts),
    }


def _tagged(data: bytes) -> _Details:
    reader = Reader(data, _WHAT, "[TCG-PFP §10.4.1]")
    tag = reader.u32("tagged_event_id")
    payload = reader.take(reader.u32("tagged_event_data_size"), "tagged_event_data")
    details: _Details = {"string": payload.decode(errors="replace").replace("\0", "")}
    if tag == AAEL_TAG:
        domain, _, rest = payload.decode().partition(" ")
        operation, separator, content = rest.partition(" ")
        if not separator:
            return {}
        details |= {
            "unicode_name": "AAEL",
            "data": {"domain": domain, "operation": operation, "content": _content(content)},
        }
    return details


def _content(text: str) -> Any:
    """JSON if it is, else the string."""
    try:
        return parse_json(text.encode(), "AAEL entry")
    except FormatError:
        return text


def _image(data: bytes) -> _Details:
    reader = Reader(data, _WHAT, "[TCG-PFP §10.2.3]")
    reader.take(24, "image")
    path = Reader(reader.take(reader.u64("length_of_device_path"), "device_path"), _WHAT, "[UEFI §10.3.1]")
    nodes: list[str] = []
    # The last four bytes are the node that ends the path.
    while path.remaining > 4:
        kind, subtype, length = path.u8("node.type"), path.u8("node.subtype"), path.u16("node.length")
        body = path.take(max(length - 4, 0), "node.data")
        nodes.append(_node(kind, subtype, body) or f"Path({kind},{subtype},{body.hex()})")
    return {"device_paths": nodes} if nodes else {}


def _node(kind: int, subtype: int, body: bytes) -> str | None:  # noqa: PLR0911 - one for each form
    match (kind, subtype, len(body)):
        case (1, 1, 2):
            return f"Pci({body[0]},{body[1]})"
        case (2, 1, 8):
            return _acpi(_uint(body[:4]), _uint(body[4:]))
        case (3, 11, 33):
            return f"Mac({body[:31].hex().rstrip('0').upper()},{body[32]:#04x})"
        case (4, 1, 38):
            return _hard_drive(body)
        case (4, 3, length) if length >= 16:
            return f"VenMedia({guid_text(body[:16]).upper()},{body[16:].hex()})"
        case (4, 4, length) if length and length % 2 == 0:
            return f"File({body[:-2].decode('utf-16-le', 'replace')})"
    return None


def _acpi(hid: int, uid: int) -> str:
    vendor = "".join(chr(ord("@") + (hid >> shift & 0x1F)) for shift in (10, 5, 0))
    return f"ACPI({vendor}{hid >> 16:04X},{uid})"


def _hard_drive(body: bytes) -> str | None:
    match body[36]:
        case 1:
            signature = f"MBR,{_uint(body[20:24]):#010x}"
        case 2:
            signature = f"GPT,{guid_text(body[20:36]).upper()}"
        case _:
            return None
    number = _uint(body[:4])
    extent = f",{_uint(body[4:12]):#x},{_uint(body[12:20]):#x}" if number else ""
    return f"HD({number},{signature}{extent})"


def _uint(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


_DECODERS: Mapping[int, Callable[[bytes], _Details]] = MappingProxyType(
    {
        EventType.EV_POST_CODE: _string,
        EventType.EV_ACTION: _string,
        EventType.EV_EVENT_TAG: _tagged,
        EventType.EV_PLATFORM_CONFIG_FLAGS: _config_flags,
        EventType.EV_COMPACT_HASH: _string,
        EventType.EV_IPL: _ipl,
        EventType.EV_OMIT_BOOT_DEVICE_EVENTS: _string,
        EventType.EV_EFI_VARIABLE_DRIVER_CONFIG: _variable,
        EventType.EV_EFI_VARIABLE_BOOT: _variable,
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION: _image,
        EventType.EV_EFI_ACTION: _string,
        EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2: _described,
        EventType.EV_EFI_HANDOFF_TABLES2: _described,
        EventType.EV_EFI_VARIABLE_BOOT2: _variable,
        EventType.EV_EFI_VARIABLE_AUTHORITY: _variable,
    }
)
