"""Event logs in Trustee's form: its own goldens, and what they do not have."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from eaa.broker.trustee_event_log import event_log_claims
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog, parse_event_log
from eaa.evidence.event_type import EventType
from tests.vectors.manifest import VECTORS, needs_vectors

SHA256 = HashAlgorithm.SHA256
APPLICATION, TAG = EventType.EV_EFI_BOOT_SERVICES_APPLICATION, EventType.EV_EVENT_TAG
GOLDENS = sorted(VECTORS.glob("*/trustee-ccel*/*_out.json"))


def details(event_type: int, data: bytes) -> object:
    event = Event(0, 0, 1, event_type, (Digest(SHA256, SHA256.hash(data)),), data)
    (claims,) = event_log_claims(EventLog(1, 0, 2, 0, 0, 2, (SHA256,), b"", (event,), None, 0))
    assert claims["digest_matches_event"] is True
    return claims["details"]


def node(kind: int, subtype: int, body: bytes) -> bytes:
    return struct.pack("<BBH", kind, subtype, len(body) + 4) + body


def image(*nodes: bytes) -> bytes:
    path = b"".join(nodes) + node(0x7F, 0xFF, b"") if nodes else b""
    return bytes(24) + struct.pack("<Q", len(path)) + path


def tagged(tag: int, data: bytes) -> bytes:
    return struct.pack("<II", tag, len(data)) + data


@needs_vectors
def test_there_are_goldens() -> None:
    assert len(GOLDENS) == 6


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda path: path.parent.name)
def test_as_trustee(golden: Path) -> None:
    log = parse_event_log(golden.with_name(golden.name.replace("_out.json", "")).read_bytes())
    assert event_log_claims(log) == json.loads(golden.read_text())["uefi_event_logs"]


def test_every_digest_must_match() -> None:
    digests = (Digest(SHA256, SHA256.hash(b"a")), Digest(HashAlgorithm.SHA384, bytes(48)))
    event = Event(0, 0, 2, EventType.EV_ACTION, digests, b"a")
    assert event_log_claims(EventLog(1, 0, 2, 0, 0, 2, (SHA256,), b"", (event,), None, 0)) == [
        {
            "index": 2,
            "type_name": "EV_ACTION",
            "digest_matches_event": False,
            "digests": [
                {"alg": "SHA-256", "digest": SHA256.hash(b"a").hex()},
                {"alg": "SHA-384", "digest": "00" * 48},
            ],
            "event": "YQ==",
            "details": {"string": "a"},
        }
    ]


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        pytest.param(EventType.EV_SEPARATOR, bytes(4), {}, id="a type without details"),
        pytest.param(EventType.EV_ACTION, b"\xff", {}, id="no text"),
        pytest.param(EventType.EV_EFI_HANDOFF_TABLES2, b"\x04abc\0", {"string": "abc"}, id="described"),
        pytest.param(EventType.EV_EFI_HANDOFF_TABLES2, b"\0", {"string": ""}, id="described, empty"),
        pytest.param(EventType.EV_EFI_HANDOFF_TABLES2, b"", {}, id="described, nothing"),
        pytest.param(EventType.EV_PLATFORM_CONFIG_FLAGS, b"a\x10b\x01c", {"string": "a bc"}, id="flags"),
        pytest.param(EventType.EV_PLATFORM_CONFIG_FLAGS, b"\xff", {"string": ""}, id="flags, no text"),
        pytest.param(EventType.EV_IPL, b"a", {}, id="IPL, too short"),
        pytest.param(EventType.EV_IPL, b"ab\0c", {"string": "ab"}, id="IPL"),
        pytest.param(EventType.EV_IPL, b"\xff\xfe", {"string": "fffe"}, id="IPL, no text"),
        pytest.param(EventType.EV_IPL, b".\0a\0b\0\0\0", {"string": "ab"}, id="IPL, UTF-16"),
        pytest.param(EventType.EV_IPL, b".\0a", {}, id="IPL, half a UTF-16 unit"),
        pytest.param(EventType.EV_EFI_VARIABLE_BOOT, bytes(31), {}, id="variable, cut"),
        pytest.param(TAG, b"\0", {}, id="tag, cut"),
        pytest.param(TAG, tagged(1, b"a\0\xff"), {"string": "a\N{REPLACEMENT CHARACTER}"}, id="tag"),
        pytest.param(TAG, tagged(0x4141454C, b"d o"), {}, id="AAEL of two words"),
        pytest.param(TAG, tagged(0x4141454C, b"d o \xff"), {}, id="AAEL, no text"),
        pytest.param(APPLICATION, image(), {}, id="image without a path"),
        pytest.param(APPLICATION, image()[:-1], {}, id="image, cut"),
        pytest.param(APPLICATION, image(b"\4\4\xff\xff"), {}, id="image, node too long"),
    ],
)
def test_details(event_type: int, data: bytes, expected: object) -> None:
    assert details(event_type, data) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b'{"a":1}', {"a": 1}), (b"sha256:ab c", "sha256:ab c"), (b'{"a":1,"a":2}', '{"a":1,"a":2}')],
)
def test_content_of_an_agents_entry(content: bytes, expected: object) -> None:
    text = b"example.com PullImage " + content
    assert details(TAG, tagged(0x4141454C, text)) == {
        "string": text.decode(),
        "unicode_name": "AAEL",
        "data": {"domain": "example.com", "operation": "PullImage", "content": expected},
    }


GUID = bytes.fromhex("d8c1f5551c04b5468a20e56cbb3052d0")
GUID_TEXT = "55F5C1D8-041C-46B5-8A20-E56CBB3052D0"
DISK = struct.pack("<IQQ", 15, 0x2800, 0x35000)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (node(1, 1, b"\0\1"), "Pci(0,1)"),
        (node(1, 1, b"\0\1\2"), "Path(1,1,000102)"),
        (node(2, 1, bytes.fromhex("d041030a00000000")), "ACPI(PNP0A03,0)"),
        (node(3, 11, bytes.fromhex("02aabbccdd01") + bytes(27)), "Mac(02AABBCCDD01,0x00)"),
        (node(3, 5, b"\1\2"), "Path(3,5,0102)"),
        (node(4, 1, DISK + GUID + b"\2\2"), f"HD(15,GPT,{GUID_TEXT},0x2800,0x35000)"),
        (node(4, 1, bytes(20) + b"\1\2\3\4" + bytes(12) + b"\1\1"), "HD(0,MBR,0x04030201)"),
        (node(4, 1, DISK + GUID + b"\3\2"), f"Path(4,1,{(DISK + GUID).hex()}0302)"),
        (node(4, 3, GUID + b"\xab"), f"VenMedia({GUID_TEXT},ab)"),
        (node(4, 3, GUID[:-1]), f"Path(4,3,{GUID[:-1].hex()})"),
        (node(4, 4, "kernel\0".encode("utf-16-le")), "File(kernel)"),
        (node(4, 4, b"abc"), "Path(4,4,616263)"),
    ],
)
def test_nodes_of_a_path(raw: bytes, text: str) -> None:
    assert details(APPLICATION, image(raw)) == {"device_paths": [text]}


def test_a_length_below_the_nodes_own_is_no_endless_loop() -> None:
    assert details(APPLICATION, image(b"\x01\x01\x00\x00")) == {"device_paths": ["Path(1,1,)"]}
