"""Event data as typed values: one event of each form, and each way in which it is not that form."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from eaa.errors import FormatError
from eaa.evidence.event_decode import decode_event, describe_event
from eaa.evidence.event_device_path import device_path_nodes, guid_text
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event
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
from eaa.evidence.event_variable import BootOption, Signature, UefiVariable

GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
SECURITY = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
OWNER = "77fa9abd-0359-4d32-bd60-28f4e78f784b"
X509 = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
END = b"\x7f\xff\4\0"
FILE_NODE = b"\4\4\x12\0" + "kernel\0".encode("utf-16-le")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def guid(text: str) -> bytes:
    return UUID(text).bytes_le


def decode(event_type: int, data: bytes, register: int = 1) -> Payload:
    return decode_event(Event(0, 0, register, event_type, (), data))


def reason(event_type: int, data: bytes) -> str:
    payload = decode(event_type, data)
    assert isinstance(payload, Undecoded)
    return payload.reason


def node(kind: int, subtype: int, body: bytes) -> bytes:
    return bytes((kind, subtype)) + u16(4 + len(body)) + body


# -- strings and small structures --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        (
            EventType.EV_EFI_ACTION,
            b"Exit Boot Services Invocation",
            Text("Exit Boot Services Invocation"),
        ),
        (EventType.EV_ACTION, b"Calling INT 19h\0", Text("Calling INT 19h")),
        (EventType.EV_EFI_HCRTM_EVENT, b"HCRTM", Text("HCRTM")),
        (
            EventType.EV_OMIT_BOOT_DEVICE_EVENTS,
            b"BOOT ATTEMPTS OMITTED",
            Text("BOOT ATTEMPTS OMITTED"),
        ),
        (EventType.EV_S_CRTM_VERSION, "v2\0".encode("utf-16-le"), Text("v2")),
        (EventType.EV_S_CRTM_VERSION, guid(OWNER), Text(OWNER)),
        (EventType.EV_S_CRTM_VERSION, b"sixteen letters.", Text("sixteen letters.")),
        (EventType.EV_S_CRTM_CONTENTS, b"Boot Guard\0", Text("Boot Guard")),
        (EventType.EV_POST_CODE, b"ACPI DATA", Text("ACPI DATA")),
        (EventType.EV_POST_CODE, u64(0xFF000000) + u64(0x1000), FirmwareBlob(None, 0xFF000000, 0x1000)),
        (EventType.EV_SEPARATOR, bytes(4), Separator(error=False)),
        (EventType.EV_SEPARATOR, b"\xff\xff\xff\xff", Separator(error=False)),
        (EventType.EV_SEPARATOR, b"\1\0\0\0", Separator(error=True)),
        (EventType.EV_NO_ACTION, b"StartupLocality\0\3", NoAction("StartupLocality")),
        (
            EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB,
            u64(0xFFC00000) + u64(540672),
            FirmwareBlob(None, 0xFFC00000, 540672),
        ),
        (
            EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2,
            b"\4Fv()" + u64(1) + u64(2),
            FirmwareBlob("Fv()", 1, 2),
        ),
        (
            EventType.EV_EFI_HANDOFF_TABLES,
            u64(1) + guid(OWNER) + u64(7),
            HandoffTables(None, ((OWNER, 7),)),
        ),
        (
            EventType.EV_EFI_HANDOFF_TABLES2,
            b"\x09TdxTable\0" + u64(2) + 2 * (guid(OWNER) + u64(7)),
            HandoffTables("TdxTable", ((OWNER, 7), (OWNER, 7))),
        ),
        (EventType.EV_EFI_HANDOFF_TABLES2, b"\0" + u64(0), HandoffTables("", ())),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, b"ACPI DATA", Text("ACPI DATA")),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, b"etc/acpi/rsdp".ljust(56, b"\0"), Text("etc/acpi/rsdp")),
        (
            EventType.EV_PLATFORM_CONFIG_FLAGS,
            b"td_payload_info\0" + u32(6) + b"quiet\0",
            ConfigFlags("td_payload_info", b"quiet\0", "quiet"),
        ),
        (
            EventType.EV_PLATFORM_CONFIG_FLAGS,
            b"td_hob".ljust(16, b"\0") + u32(2) + b"\x80\0",
            ConfigFlags("td_hob", b"\x80\0", None),
        ),
    ],
)
def test_decoded(event_type: int, data: bytes, expected: Payload) -> None:
    assert decode(event_type, data) == expected


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        (EventType.EV_NONHOST_INFO, b"", "there is no decoder for EV_NONHOST_INFO"),
        (0x1234, b"", "there is no decoder for 0x00001234"),
        (EventType.EV_EFI_ACTION, b"\xff\xfe", "not a string"),
        (EventType.EV_EFI_ACTION, b"bell\7", "not a string"),
        (EventType.EV_EFI_ACTION, b"\x00\xdc\x00\x00", "not a string"),
        (EventType.EV_EFI_ACTION, b"\7\0\0\0", "not a string"),
        (EventType.EV_S_CRTM_VERSION, b"\xff" * 15, "not a string"),
        (EventType.EV_POST_CODE, b"\xff" * 17, "1 bytes follow the end"),
        (EventType.EV_SEPARATOR, b"\2\0\0\0", "no separator value"),
        (EventType.EV_SEPARATOR, b"\0\0\0", "no separator value"),
        (EventType.EV_NO_ACTION, b"SP800-155 Event", "signature at offset 0: needs 16 bytes"),
        (EventType.EV_NO_ACTION, b"\xff" * 16, "not a string"),
        (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB, bytes(15), "blob_length"),
        (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB, bytes(17), "1 bytes follow the end"),
        (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2, b"\5abc", "description at offset 1"),
        (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2, b"\1\xff" + bytes(16), "not a string"),
        (EventType.EV_EFI_HANDOFF_TABLES, u64(1 << 60), "number_of_tables"),
        (EventType.EV_EFI_HANDOFF_TABLES, u64(1) + bytes(25), "1 in 25 bytes"),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, bytes(16) + u32(1) + b"\xff", "not a string"),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, b"name".ljust(16, b"\0") + u32(2) + b"\xff", "not a string"),
        (EventType.EV_PLATFORM_CONFIG_FLAGS, b"\xff" * 21, "not a string"),
        (EventType.EV_IPL, b"\xff\0", "not a string"),
        (EventType.EV_IPL, b"\7\0\0\0", "not a string"),
    ],
)
def test_not_decoded(event_type: int, data: bytes, expected: str) -> None:
    assert expected in reason(event_type, data)


# -- boot loaders and the kernel ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"grub_cmd: set a=b\0", IplText("grub_cmd: set a=b", "grub_cmd", "set a=b")),
        (b"grub_cmd [ a = b ]\0p", IplText("grub_cmd [ a = b ]", "grub_cmd", "[ a = b ]")),
        (b"grub_cmd: x {\n\ty\n}\0", IplText("grub_cmd: x {\n\ty\n}", "grub_cmd", "x {\n\ty\n}")),
        (
            b"kernel_cmdline: /vmlinuz quiet\0",
            IplText("kernel_cmdline: /vmlinuz quiet", "kernel_cmdline", "/vmlinuz quiet"),
        ),
        (b"module_cmdline: m\0", IplText("module_cmdline: m", "module_cmdline", "m")),
        (
            b"grub_kernel_cmdline /vmlinuz\0\x9f",
            IplText("grub_kernel_cmdline /vmlinuz", "grub_kernel_cmdline", "/vmlinuz"),
        ),
        (b"(hd0,gpt1)/vmlinuz\0", IplText("(hd0,gpt1)/vmlinuz", None, None)),
        (b"MokList", IplText("MokList", None, None)),
        (b"", IplText("", None, None)),
        (".cmdline\0".encode("utf-16-le"), IplText(".cmdline", None, None)),
    ],
)
def test_boot_loader_text(data: bytes, expected: IplText) -> None:
    assert decode(EventType.EV_IPL, data) == expected


def tagged(tag: int, data: bytes, more: bytes = b"") -> bytes:
    return u32(tag) + u32(len(data)) + data + more


LABEL = b"LOADED_IMAGE::LoadOptions\0"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            tagged(LINUX_LOAD_OPTIONS_TAG, LABEL),
            TaggedEvent(LINUX_LOAD_OPTIONS_TAG, LABEL, "LOADED_IMAGE::LoadOptions"),
        ),
        (LABEL, TaggedEvent(LINUX_LOAD_OPTIONS_TAG, LABEL, "LOADED_IMAGE::LoadOptions")),
        (b"Linux initrd\0", TaggedEvent(LINUX_INITRD_TAG, b"Linux initrd\0", "Linux initrd")),
        (tagged(7, b"\xff"), TaggedEvent(7, b"\xff", None)),
        (
            tagged(7, "loader.conf\0".encode("utf-16-le")),
            TaggedEvent(7, "loader.conf\0".encode("utf-16-le"), "loader.conf"),
        ),
        (
            tagged(AAEL_TAG, b"coco.com PullImage a b"),
            AaelEntry("coco.com", "PullImage", "a b"),
        ),
        (tagged(AAEL_TAG, b"INIT/sha384 00ff"), AaelInit("sha384", b"\0\xff")),
        (tagged(AAEL_TAG, b"INIT/md5 00 x"), AaelEntry("INIT/md5", "00", "x")),
    ],
)
def test_tagged_events(data: bytes, expected: Payload) -> None:
    assert decode(EventType.EV_EVENT_TAG, data) == expected


def test_the_aael_tag_is_the_one_on_the_wire() -> None:
    assert tagged(AAEL_TAG, b"")[:4] == b"LEAA"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\1\0\0", "tagged_event_id"),
        (u32(1) + u32(5) + b"abcd", "tagged_event_data at offset 8: needs 5 bytes"),
        (tagged(1, b"a", b"b"), "1 bytes follow the end"),
        (tagged(AAEL_TAG, b"a b \xff"), "not UTF-8"),
        (tagged(AAEL_TAG, b"a b c\n"), "not one line of printable characters"),
        (tagged(AAEL_TAG, b"a b"), "not domain, operation and content"),
        (tagged(AAEL_TAG, b"a  c"), "not domain, operation and content"),
        (tagged(AAEL_TAG, b"INIT/sha384 0"), "not domain, operation and content"),
    ],
)
def test_tagged_events_that_are_not(data: bytes, expected: str) -> None:
    assert expected in reason(EventType.EV_EVENT_TAG, data)


def image(path: bytes, length: int | None = None, more: bytes = b"") -> bytes:
    return u64(1) + u64(2) + u64(3) + u64(len(path) if length is None else length) + path + more


def test_loaded_images() -> None:
    kinds = (
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION,
        EventType.EV_EFI_BOOT_SERVICES_DRIVER,
        EventType.EV_EFI_RUNTIME_SERVICES_DRIVER,
    )
    for kind in kinds:
        assert decode(kind, image(FILE_NODE + END)) == LoadedImage(1, 2, 3, ("kernel",))
    assert decode(kinds[0], image(b"")) == LoadedImage(1, 2, 3, ())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(31), "length_of_device_path"),
        (image(END, length=5), "device_path at offset 32: needs 5 bytes"),
        (image(END, more=b"x"), "1 bytes follow the end"),
        (image(FILE_NODE), "node.type"),
        (image(END + FILE_NODE), "bytes follow the end"),
        (image(b"\4\4\3\0" + END), "node.length at offset 2: 3, less than the node's header"),
        (image(b"\4\4\x20\0" + END), "node.data"),
    ],
)
def test_loaded_images_that_are_not(data: bytes, expected: str) -> None:
    assert expected in reason(EventType.EV_EFI_BOOT_SERVICES_APPLICATION, data)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (node(1, 1, b"\2\x1f"), "Pci(0x1f,0x2)"),
        (node(1, 4, guid(OWNER)), f"VenHw({OWNER})"),
        (node(2, 1, u32(0x0A0341D0) + u32(0)), "PciRoot(0x0)"),
        (node(2, 1, u32(0x0A0841D0) + u32(1)), "PcieRoot(0x1)"),
        (node(2, 1, u32(0x050141D0) + u32(2)), "Acpi(PNP0501,0x2)"),
        (node(3, 2, u16(1) + u16(2)), "Scsi(0x1,0x2)"),
        (node(3, 11, bytes.fromhex("525400123456") + bytes(26) + b"\1"), "MAC(525400123456,0x1)"),
        (node(3, 11, b"\xab" * 32 + b"\x20"), "MAC(" + "ab" * 32 + ",0x20)"),
        (node(3, 23, u32(1) + u64(0x0102030405060708)), "NVMe(0x1,01-02-03-04-05-06-07-08)"),
        (node(3, 24, b"https://example.org/"), "Uri(https://example.org/)"),
        (node(3, 24, b"\xff"), "Path(3,24,ff)"),
        (node(3, 24, b""), "Uri()"),
        (
            node(4, 1, u32(15) + u64(0x2800) + u64(0x35000) + guid(OWNER) + b"\2\2"),
            f"HD(15,GPT,{OWNER},0x2800,0x35000)",
        ),
        (
            node(4, 1, u32(1) + u64(2) + u64(3) + u32(0x1234) + bytes(12) + b"\1\1"),
            "HD(1,MBR,0x00001234,0x2,0x3)",
        ),
        (node(4, 1, bytes(38)), "Path(4,1," + "00" * 38 + ")"),
        (node(4, 3, guid(OWNER)), f"VenMedia({OWNER})"),
        (node(4, 3, guid(OWNER) + b"\1"), f"Path(4,3,{guid(OWNER).hex()}01)"),
        (node(4, 4, "\\EFI\\BOOT\0".encode("utf-16-le")), "\\EFI\\BOOT"),
        (node(4, 4, "a\0b\0".encode("utf-16-le")), "Path(4,4,6100000062000000)"),
        (node(4, 4, b"a\0"), "Path(4,4,6100)"),
        (node(4, 4, b"a"), "Path(4,4,61)"),
        (node(4, 4, b""), "Path(4,4,)"),
        (node(4, 6, guid(OWNER)), f"FvFile({OWNER})"),
        (node(4, 7, guid(OWNER)), f"Fv({OWNER})"),
        (node(4, 8, bytes(4) + u64(0x148) + u64(0x8BFF)), "Offset(0x148,0x8bff)"),
        (node(5, 1, b"\1"), "Path(5,1,01)"),
    ],
)
def test_device_path_nodes(raw: bytes, expected: str) -> None:
    assert device_path_nodes(raw + END, "test") == (expected,)


def test_a_device_path_that_never_ends() -> None:
    with pytest.raises(FormatError):
        device_path_nodes(1000 * node(1, 1, b"\0\0"), "test")


def test_guids_are_printed_as_the_registry_does() -> None:
    assert guid_text(guid(OWNER)) == OWNER


# -- variables ---------------------------------------------------------------------------------------


def variable(owner: str, name: str, data: bytes, more: bytes = b"", name_length: int | None = None) -> bytes:
    units = name.encode("utf-16-le")
    length = len(units) // 2 if name_length is None else name_length
    return guid(owner) + u64(length) + u64(len(data)) + units + data + more


VARIABLE_TYPES = (
    EventType.EV_EFI_VARIABLE_DRIVER_CONFIG,
    EventType.EV_EFI_VARIABLE_BOOT,
    EventType.EV_EFI_VARIABLE_BOOT2,
    EventType.EV_EFI_VARIABLE_AUTHORITY,
)


@pytest.mark.parametrize("kind", VARIABLE_TYPES)
def test_variables_of_every_event_type(kind: EventType) -> None:
    assert decode(kind, variable(OWNER, "SbatLevel", b"sbat,1")) == UefiVariable(
        OWNER, "SbatLevel", b"sbat,1", None
    )


def signature_list(kind: str, *data: bytes, header: bytes = b"", size: int | None = None) -> bytes:
    each = 16 + len(data[0]) if data else 16
    total = 28 + len(header) + each * len(data)
    entries = b"".join(guid(OWNER) + item for item in data)
    return guid(kind) + u32(total if size is None else size) + u32(len(header)) + u32(each) + header + entries


def option(description: str, paths: bytes, optional: bytes = b"", length: int | None = None) -> bytes:
    size = len(paths) if length is None else length
    return u32(1) + u16(size) + description.encode("utf-16-le") + b"\0\0" + paths + optional


@pytest.mark.parametrize(
    ("owner", "name", "data", "expected"),
    [
        (GLOBAL, "SecureBoot", b"\1", True),
        (GLOBAL, "SecureBoot", b"\0", False),
        (GLOBAL, "SecureBoot", b"", None),
        (GLOBAL, "SetupMode", b"\2", None),
        (OWNER, "SecureBoot", b"\1", None),
        (GLOBAL, "BootOrder", u16(5) + u16(0), (5, 0)),
        (GLOBAL, "BootOrder", b"\0", None),
        (GLOBAL, "BootCurrent", b"\0\0", None),
        (GLOBAL, "PK", b"", ()),
        (
            GLOBAL,
            "PK",
            signature_list(X509, b"certificate"),
            (Signature("X.509", OWNER, b"certificate"),),
        ),
        (
            SECURITY,
            "dbx",
            signature_list(OWNER, b"a", b"b", header=b"h") + signature_list(X509, b"c"),
            (Signature(OWNER, OWNER, b"a"), Signature(OWNER, OWNER, b"b"), Signature("X.509", OWNER, b"c")),
        ),
        (GLOBAL, "db", signature_list(X509, b"not the database"), None),
        (SECURITY, "db", signature_list(X509, b"a", size=27), None),
        (SECURITY, "db", signature_list(X509, b"a", size=46), None),
        (SECURITY, "db", signature_list(X509, b"a", size=28 + 34), None),
        (SECURITY, "db", guid(X509) + u32(28) + u32(0) + u32(15), None),
        (
            GLOBAL,
            "Boot0001",
            option("Linux", FILE_NODE + END, b"quiet"),
            BootOption(1, "Linux", (("kernel",),), b"quiet"),
        ),
        (
            GLOBAL,
            "Boot00AF",
            option("", 2 * (FILE_NODE + END)),
            BootOption(1, "", (("kernel",), ("kernel",)), b""),
        ),
        (GLOBAL, "Boot0001", option("Linux", b""), BootOption(1, "Linux", (), b"")),
        (GLOBAL, "Boot0001", option("Linux", FILE_NODE), None),
        (GLOBAL, "Boot0001", option("Linux", b"\4\4\3\0"), None),
        (GLOBAL, "Boot0001", option("Linux", END, length=5), None),
        (GLOBAL, "Boot0001", u32(1) + u16(0) + b"a\0", None),
        (GLOBAL, "Boot0001", u32(1) + u16(0) + b"\0\xdc\0\0", None),
        (GLOBAL, "Boot00af", option("Linux", END), None),
    ],
)
def test_meaning_of_variables(owner: str, name: str, data: bytes, expected: Any) -> None:
    payload = decode(EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, variable(owner, name, data))
    assert payload == UefiVariable(owner, name, data, expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (guid(OWNER)[:15], "variable_name"),
        (variable(OWNER, "", b"", name_length=1 << 63), "unicode_name at offset 32"),
        (variable(OWNER, "a", b"", name_length=2), "unicode_name at offset 32: needs 4 bytes"),
        (guid(OWNER) + u64(1) + u64(0) + b"\0\xdc", "unicode_name at offset 32: not UTF-16"),
        (guid(OWNER) + u64(0) + u64(2) + b"\1", "variable_data at offset 32: needs 2 bytes"),
        (variable(OWNER, "a", b"b", more=b"c"), "1 bytes follow the end"),
    ],
)
def test_variables_that_are_not(data: bytes, expected: str) -> None:
    assert expected in reason(EventType.EV_EFI_VARIABLE_BOOT, data)


# -- the operator's form -----------------------------------------------------------------------------


def test_description_of_a_decoded_event() -> None:
    data = variable(GLOBAL, "Boot0001", option("Linux", FILE_NODE + END, b"\1"))
    digest = Digest(HashAlgorithm.SHA384, b"\xab" * 48)
    event = Event(7, 100, 2, EventType.EV_EFI_VARIABLE_BOOT, (digest,), data)
    description = describe_event(event)
    assert description["UefiVariable"] == {
        "guid": GLOBAL,
        "name": "Boot0001",
        "data": option("Linux", FILE_NODE + END, b"\1").hex(),
        "value": {
            "attributes": 1,
            "description": "Linux",
            "device_paths": [["kernel"]],
            "optional_data": "01",
        },
    }
    assert description["digests"] == {"SHA-384": "ab" * 48}
    assert (description["index"], description["register"]) == (7, 2)
    assert description["type"] == "EV_EFI_VARIABLE_BOOT"
    assert "data" not in description
    assert json.loads(json.dumps(description)) == description


def test_description_of_an_undecoded_event_keeps_the_data() -> None:
    description = describe_event(Event(0, 0, 5, EventType.EV_EFI_GPT_EVENT, (), b"\1\2"))
    assert description["data"] == "0102"
    assert description["Undecoded"] == {"reason": "there is no decoder for EV_EFI_GPT_EVENT"}
