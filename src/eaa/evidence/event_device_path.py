"""UEFI device paths as text ``[UEFI §10.3, §10.6]``.

Nodes that name what was booted have the text form of the specification's table; any other node has
its generic form, ``Path(type,subtype,data)``, so that no byte of a path is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from eaa.codec.reader import Reader

__all__ = ["device_path_nodes", "guid_text"]

_END = 0x7F
_END_ENTIRE = 0xFF
#: EISA identifiers: "PNP" in the low half, the device number in the high half.
_ROOT_BRIDGES = {0x0A0341D0: "PciRoot", 0x0A0841D0: "PcieRoot"}


def device_path_nodes(data: bytes, what: str) -> tuple[str, ...]:
    """The nodes of one device path, which ends with an End Entire node and nothing after it.

    Raises:
        FormatError: a node is truncated, has an impossible length, or the end is missing.
    """
    reader = Reader(data, what, "[UEFI §10.3.1]")
    nodes: list[str] = []
    while True:
        at = reader.offset
        kind, subtype, length = reader.u8("node.type"), reader.u8("node.subtype"), reader.u16("node.length")
        if length < 4:
            raise reader.error("node.length", f"{length}, less than the node's header", offset=at + 2)
        body = reader.take(length - 4, "node.data")
        if (kind, subtype) == (_END, _END_ENTIRE):
            reader.end("device path")
            return tuple(nodes)
        nodes.append(_node_text(kind, subtype, body))


def guid_text(raw: bytes) -> str:
    """A 16-byte ``EFI_GUID`` in registry format, lower case ``[UEFI Appendix A]``."""
    first, second, third = raw[3::-1].hex(), raw[5:3:-1].hex(), raw[7:5:-1].hex()
    return f"{first}-{second}-{third}-{raw[8:10].hex()}-{raw[10:].hex()}"


def _node_text(kind: int, subtype: int, body: bytes) -> str:
    size, form = _FORMS.get((kind, subtype), (None, _generic))
    text = form(body) if size in (None, len(body)) else None
    return f"Path({kind},{subtype},{body.hex()})" if text is None else text


def _generic(_: bytes) -> None:
    """No form of its own."""


def _acpi(body: bytes) -> str:
    hid, uid = _uint(body[:4]), _uint(body[4:])
    if hid in _ROOT_BRIDGES:
        return f"{_ROOT_BRIDGES[hid]}({uid:#x})"
    vendor = "".join(chr(ord("@") + ((hid >> shift) & 0x1F)) for shift in (10, 5, 0))
    return f"Acpi({vendor}{hid >> 16:04X},{uid:#x})"


def _hard_drive(body: bytes) -> str | None:
    """``None`` for a partition that is neither MBR nor GPT, whose signature has no known form."""
    number, start, blocks = _uint(body[:4]), _uint(body[4:12]), _uint(body[12:20])
    match (body[36], body[37]):
        case (1, 1):
            signature = f"MBR,{_uint(body[20:24]):#010x}"
        case (2, 2):
            signature = f"GPT,{guid_text(body[20:36])}"
        case _:
            return None
    return f"HD({number},{signature},{start:#x},{blocks:#x})"


def _file_path(body: bytes) -> str | None:
    """The path itself; ``None`` if it is not one NUL-terminated UTF-16 string."""
    try:
        text = body.decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return text[:-1] if text and text.find("\0") == len(text) - 1 else None


def _mac(body: bytes) -> str:
    # EFI_MAC_ADDRESS is a 32-byte field; for interface types 0 and 1 the address is its first six bytes.
    address = body[:6] if body[32] in (0, 1) else body[:32]
    return f"MAC({address.hex()},{body[32]:#x})"


def _uri(body: bytes) -> str | None:
    return f"Uri({body.decode('ascii')})" if body.isascii() else None


def _uint(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


#: (type, subtype) to the size of the node's data, where it is fixed, and its form.
_FORMS: Mapping[tuple[int, int], tuple[int | None, Callable[[bytes], str | None]]] = MappingProxyType(
    {
        (1, 1): (2, lambda body: f"Pci({body[1]:#x},{body[0]:#x})"),
        (1, 4): (16, lambda body: f"VenHw({guid_text(body)})"),
        (2, 1): (8, _acpi),
        (3, 2): (4, lambda body: f"Scsi({_uint(body[:2]):#x},{_uint(body[2:]):#x})"),
        (3, 11): (33, _mac),
        (3, 23): (12, lambda body: f"NVMe({_uint(body[:4]):#x},{body[:3:-1].hex('-')})"),
        (3, 24): (None, _uri),
        (4, 1): (38, _hard_drive),
        (4, 3): (16, lambda body: f"VenMedia({guid_text(body)})"),
        (4, 4): (None, _file_path),
        (4, 6): (16, lambda body: f"FvFile({guid_text(body)})"),
        (4, 7): (16, lambda body: f"Fv({guid_text(body)})"),
        (4, 8): (20, lambda body: f"Offset({_uint(body[4:12]):#x},{_uint(body[12:]):#x})"),
    }
)
