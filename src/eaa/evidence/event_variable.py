"""UEFI variables as event logs carry them: Secure Boot's keys and lists, boot options, and any other.

Layouts: ``UEFI_VARIABLE_DATA`` ``[TCG-PFP §10.2.6]``, ``EFI_LOAD_OPTION`` ``[UEFI §3.1.3]``,
``EFI_SIGNATURE_LIST`` ``[UEFI §32.4.1]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.event_device_path import device_path_nodes, guid_text

__all__ = ["BootOption", "Signature", "UefiVariable", "parse_variable"]

_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_IMAGE_SECURITY = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
_FLAGS = frozenset({"SecureBoot", "SetupMode", "AuditMode", "DeployedMode"})
_SIGNATURE_LISTS = frozenset(
    {(_GLOBAL, "PK"), (_GLOBAL, "KEK")} | {(_IMAGE_SECURITY, name) for name in ("db", "dbx", "dbt", "dbr")}
)
_BOOT_OPTION = re.compile(r"Boot[0-9A-F]{4}")
_SIGNATURE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "c1c41626-504c-4092-aca9-41f936934328": "SHA-256",
        "826ca512-cf10-4ac9-b187-be01496631bd": "SHA-1",
        "0b6e5233-a65c-44c9-9407-d9ab83bfc8bd": "SHA-224",
        "ff3e5307-9fd0-48c9-85f1-8ad56c701e01": "SHA-384",
        "093e0fae-a6c4-4f50-9f1b-d41e2b89c19a": "SHA-512",
        "3c5766e8-269c-4e34-aa14-ed776e85b3b6": "RSA-2048",
        "e2b36190-879b-4a3d-ad8d-f2e7bba32784": "RSA-2048-SHA-256",
        "67f8444f-8743-48f1-a328-1eaab8736080": "RSA-2048-SHA-1",
        "a5c059a1-94e4-4aa7-87b5-ab155c2bf072": "X.509",
        "3bd2a492-96c0-4079-b420-fcf98ef103ed": "X.509-SHA-256",
        "7076876e-80c2-4ee6-aad2-28b349a6865b": "X.509-SHA-384",
        "446dbf63-2502-4cda-bcfa-2465d2b0fe9d": "X.509-SHA-512",
    }
)


@dataclass(frozen=True, slots=True)
class Signature:
    """One ``EFI_SIGNATURE_DATA``: a certificate, a key or a hash, by ``type``; ``owner`` is a GUID."""

    type: str
    owner: str
    data: bytes


@dataclass(frozen=True, slots=True)
class BootOption:
    """One ``EFI_LOAD_OPTION``; ``optional_data`` is what is passed to the loaded image."""

    attributes: int
    description: str
    device_paths: tuple[tuple[str, ...], ...]
    optional_data: bytes


@dataclass(frozen=True, slots=True)
class UefiVariable:
    """``data`` is the variable's value; ``value`` is what it means, ``None`` where that is not known.

    Secure Boot's modes are ``bool``, ``BootOrder`` a tuple of option numbers, ``Boot####`` a
    :class:`BootOption`, and ``PK``, ``KEK``, ``db``, ``dbx``, ``dbt`` and ``dbr`` a tuple of
    :class:`Signature`. An empty variable is one that was measured as absent.
    """

    guid: str
    name: str
    data: bytes
    value: bool | BootOption | tuple[int, ...] | tuple[Signature, ...] | None


def parse_variable(data: bytes, what: str) -> UefiVariable:
    """Parse one ``UEFI_VARIABLE_DATA``. A value that does not parse has ``value`` ``None``.

    Raises:
        FormatError: the lengths do not add up or the name is not UTF-16.
    """
    reader = Reader(data, what, "[TCG-PFP §10.2.6]")
    guid = guid_text(reader.take(16, "variable_name"))
    name_length = reader.u64("unicode_name_length")
    data_length = reader.u64("variable_data_length")
    at = reader.offset
    try:
        name = reader.take(2 * name_length, "unicode_name").decode("utf-16-le")
    except UnicodeDecodeError:
        raise reader.error("unicode_name", "not UTF-16", offset=at) from None
    value = reader.take(data_length, "variable_data")
    reader.end("variable")
    return UefiVariable(guid, name, value, _meaning(guid, name, value, what))


def _meaning(
    guid: str, name: str, data: bytes, what: str
) -> bool | BootOption | tuple[int, ...] | tuple[Signature, ...] | None:
    try:
        if (guid, name) in _SIGNATURE_LISTS:
            return _parse_signature_lists(Reader(data, what, "[UEFI §32.4.1]"))
        if guid != _GLOBAL:
            return None
        if name in _FLAGS:
            return {b"\0": False, b"\1": True}.get(data)
        if name == "BootOrder":
            return _parse_boot_order(Reader(data, what, "[UEFI §3.3]"))
        return _parse_boot_option(data, what) if _BOOT_OPTION.fullmatch(name) else None
    except FormatError:
        return None


def _parse_boot_order(reader: Reader) -> tuple[int, ...]:
    numbers: list[int] = []
    while reader.remaining:
        numbers.append(reader.u16("BootOrder"))
    return tuple(numbers)


def _parse_boot_option(data: bytes, what: str) -> BootOption:
    reader = Reader(data, what, "[UEFI §3.1.3]")
    attributes, path_length = reader.u32("attributes"), reader.u16("file_path_list_length")
    description = bytearray()
    while (unit := reader.take(2, "description")) != b"\0\0":
        description += unit
    paths = _split_paths(reader.take(path_length, "file_path_list"), what)
    nodes = tuple(device_path_nodes(path, what) for path in paths)
    try:
        text = description.decode("utf-16-le")
    except UnicodeDecodeError:
        raise reader.error("description", "not UTF-16", offset=6) from None
    return BootOption(attributes, text, nodes, reader.take(reader.remaining, "optional_data"))


def _split_paths(data: bytes, what: str) -> tuple[bytes, ...]:
    """The list is device paths packed one after the other, each with its own end node."""
    reader = Reader(data, what, "[UEFI §3.1.3]")
    paths: list[bytes] = []
    start = 0
    while reader.remaining:
        node = reader.take(4, "file_path_list.node")
        reader.take(max(int.from_bytes(node[2:], "little") - 4, 0), "file_path_list.node")
        if node[:2] == b"\x7f\xff" or not reader.remaining:
            paths.append(data[start : reader.offset])
            start = reader.offset
    return tuple(paths)


def _parse_signature_lists(reader: Reader) -> tuple[Signature, ...]:
    signatures: list[Signature] = []
    while reader.remaining:
        guid = guid_text(reader.take(16, "signature_type"))
        at = reader.offset
        list_size, header_size = reader.u32("signature_list_size"), reader.u32("signature_header_size")
        size = reader.u32("signature_size")
        if list_size < 28 + header_size or size < 16 or (list_size - 28 - header_size) % size:
            raise reader.error("signature_list_size", "does not hold whole signatures", offset=at)
        reader.take(header_size, "signature_header")
        for _ in range((list_size - 28 - header_size) // size):
            owner = guid_text(reader.take(16, "signature_owner"))
            data = reader.take(size - 16, "signature_data")
            signatures.append(Signature(_SIGNATURE_TYPES.get(guid, guid), owner, data))
    return tuple(signatures)
