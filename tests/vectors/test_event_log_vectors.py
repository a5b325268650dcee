"""Event logs of real machines: what they replay to, what Trustee reads in them, what their quotes say."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eaa.evidence.event_decode import decode_event, describe_event
from eaa.evidence.event_digest import DigestCheck, check_digest, matches_load_options
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Event, EventLog, parse_event_log
from eaa.evidence.event_payload import (
    AaelEntry,
    ConfigFlags,
    FirmwareBlob,
    HandoffTables,
    IplText,
    LoadedImage,
    TaggedEvent,
    Text,
    Undecoded,
)
from eaa.evidence.event_replay import PartingKind, compare_with_rtmrs, replay
from eaa.evidence.event_type import EventType
from eaa.evidence.event_variable import Signature, UefiVariable
from tests.vectors.manifest import VECTORS, needs_vectors, rows

pytestmark = needs_vectors

ALGORITHMS = {"sha1": "SHA1", "sha256": "SHA256", "sha384": "SHA384", "sm3": "SM3_256"}


def vectors(*kinds: str) -> list[dict[str, Any]]:
    return [vector for vector in rows() if vector["kind"] in kinds]


def logs() -> list[Any]:
    return [
        pytest.param(
            VECTORS / vector["dir"] / vector["files"][0]["name"], vector["expected"][0], id=vector["id"]
        )
        for vector in vectors("ccel-eventlog", "tcg-eventlog")
    ]


def load(path: str) -> EventLog:
    return parse_event_log((VECTORS / path).read_bytes())


@pytest.mark.parametrize(("path", "expected"), logs())
def test_every_register_of_every_bank_replays_to_the_recorded_value(
    path: Path, expected: dict[str, Any]
) -> None:
    log = parse_event_log(path.read_bytes())
    replayed = {}
    for name in {key.split(":")[0] for key in expected["replayed"]}:
        for register, value in replay(log, HashAlgorithm[ALGORITHMS[name]]).items():
            replayed[f"{name}:{register}"] = value.hex()
    assert replayed == expected["replayed"]
    assert len(log.events) == expected["events"]
    assert [event.index for event in log.events] == list(range(len(log.events)))


@pytest.mark.parametrize(("path", "expected"), logs())
def test_encode_gives_the_received_bytes_back(path: Path, expected: dict[str, Any]) -> None:
    data = path.read_bytes()
    log = parse_event_log(data)
    filler = b"" if log.filler is None else bytes((log.filler,)) * log.filler_length
    assert log.encode() + filler == data
    assert parse_event_log(log.encode()).events == log.events


# What the data of an event of these types is, is up to the vendor; the log's consumer sees it as hex.
OPAQUE = {
    EventType.EV_TABLE_OF_DEVICES,
    EventType.EV_COMPACT_HASH,
    EventType.EV_NONHOST_INFO,
    EventType.EV_EFI_GPT_EVENT,
}


@pytest.mark.parametrize(("path", "expected"), logs())
def test_every_event_is_decoded(path: Path, expected: dict[str, Any]) -> None:
    for event in parse_event_log(path.read_bytes()).events:
        undecoded = isinstance(decode_event(event), Undecoded)
        assert undecoded == (event.event_type in OPAQUE), describe_event(event)
        json.dumps(describe_event(event))


@pytest.mark.parametrize(("path", "expected"), logs())
def test_data_differs_from_its_digest_in_one_event_of_one_vendor_only(
    path: Path, expected: dict[str, Any]
) -> None:
    log = parse_event_log(path.read_bytes())
    differing = [
        (path.name, event.index)
        for event in log.events
        for algorithm in log.algorithms
        if check_digest(event, algorithm) is DigestCheck.DIFFERS
    ]
    # gdc-host's firmware measured something else than the version string that it logged.
    assert differing == ([("gdc-host.bin", 2)] if path.name == "gdc-host.bin" else [])


@pytest.mark.parametrize(("path", "expected"), logs())
def test_signature_lists_and_boot_options_of_every_vendor_are_understood(
    path: Path, expected: dict[str, Any]
) -> None:
    known = ("SecureBoot", "PK", "KEK", "db", "dbx", "BootOrder", "Boot0")
    for event in parse_event_log(path.read_bytes()).events:
        payload = decode_event(event)
        if (
            isinstance(payload, UefiVariable)
            and event.event_type != EventType.EV_EFI_VARIABLE_AUTHORITY
            and payload.name.startswith(known)
            and (payload.data or payload.name != "SecureBoot")
        ):
            assert payload.value is not None, describe_event(event)


# -- Trustee's parsed form ---------------------------------------------------------------------------


def trustee() -> list[Any]:
    return [
        pytest.param(folder / vector["files"][0]["name"], folder / file["name"], id=vector["id"])
        for vector in vectors("ccel-eventlog")
        for file in vector["files"]
        if file["name"].endswith("_out.json") and (folder := VECTORS / vector["dir"])
    ]


@pytest.mark.parametrize(("path", "parsed"), trustee())
def test_trustee_reads_the_same(path: Path, parsed: Path) -> None:
    log = parse_event_log(path.read_bytes())
    theirs = json.loads(parsed.read_text())["uefi_event_logs"]
    assert len(theirs) == len(log.events)
    for event, entry in zip(log.events, theirs, strict=True):
        assert (event.register, event.type_name) == (entry["index"], entry["type_name"])
        assert [(d.algorithm.label, d.value.hex()) for d in event.digests] == [
            (d["alg"], d["digest"]) for d in entry["digests"]
        ]
        assert event.data == base64.b64decode(entry["event"])
        assert entry["digest_matches_event"] == all(
            digest.algorithm.hash(event.data) == digest.value for digest in event.digests
        )
        compare_details(event, entry["details"])


def compare_details(event: Event, theirs: dict[str, Any]) -> None:
    match decode_event(event):
        case UefiVariable() as variable:
            assert variable.name == theirs["unicode_name"]
            assert variable.data == base64.b64decode(theirs["variable_data"])
            # Trustee prints the GUID's bytes in the order of the log.
            assert variable.guid.split("-")[3:] == theirs["variable_name"].split("-")[3:]
        case AaelEntry() as entry:
            content = theirs["data"]["content"]
            assert (entry.domain, entry.operation) == (
                theirs["data"]["domain"],
                theirs["data"]["operation"],
            )
            assert (entry.content if isinstance(content, str) else json.loads(entry.content)) == content
        case LoadedImage(device_path=nodes):
            assert [node.lower() for node in nodes] == [
                canonical_node(node).lower() for node in theirs.get("device_paths", [])
            ]
        case FirmwareBlob(description=str(text)) | HandoffTables(description=str(text)) | Text(text):
            assert text == theirs["string"].rstrip("\0")
        case TaggedEvent(text=str(text)):
            assert text == theirs["string"]
        case IplText(text=text) if not text.startswith("."):
            assert text == theirs["string"]
        case IplText(text=text):
            # Trustee drops the dot of the section's name, and its last characters with the NUL.
            assert text[1:].startswith(theirs["string"])
        case ConfigFlags(name="td_hob"):
            assert theirs["string"] == ""
        case ConfigFlags(name=name, text=str(text)):
            assert theirs["string"].split(" ", 1) == [name, text]
        case _:
            assert theirs == {}


def canonical_node(text: str) -> str:
    """Trustee's text of a device path node in the form of the UEFI specification."""
    kind, _, rest = text.partition("(")
    fields = rest.removesuffix(")").split(",")
    match kind:
        case "ACPI" if fields[0] == "PNP0A03":
            return f"PciRoot({int(fields[1]):#x})"
        case "Pci":
            return f"Pci({int(fields[1]):#x},{int(fields[0]):#x})"
        case "File":
            return rest.removesuffix(")")
        case "VenMedia":
            return f"VenMedia({fields[0]})"
        case "Path":
            kind_number, subtype, data = int(fields[0]), int(fields[1]), fields[2]
            return generic_node(kind_number, subtype, bytes.fromhex(data), text)
    return text


def generic_node(kind: int, subtype: int, data: bytes, text: str) -> str:
    """The nodes that Trustee has no text for, and that the vectors contain."""
    if (kind, subtype) == (3, 2):
        return f"Scsi({int.from_bytes(data[:2], 'little'):#x},{int.from_bytes(data[2:], 'little'):#x})"
    if (kind, subtype) == (3, 23):
        return f"NVMe({int.from_bytes(data[:4], 'little'):#x},{data[:3:-1].hex('-')})"
    return text


# -- what the log of each machine says ----------------------------------------------------------------


def payloads(log: EventLog, kind: type) -> list[Any]:
    return [payload for event in log.events if isinstance(payload := decode_event(event), kind)]


def test_the_command_line_of_a_grub_boot_is_in_the_log_and_in_the_load_options() -> None:
    log = load("tpm/go-tpm-tools-ubuntu-2404-amd-sevsnp/ubuntu-2404-amd-sevsnp.bin")
    (line,) = [text.measured for text in payloads(log, IplText) if text.kind == "kernel_cmdline"]
    assert line.startswith("/vmlinuz-6.8.0-1010-gcp root=PARTUUID=8270f3c9-b4e4-4345-80ee-5a62db7ebf3f ro")
    (event,) = [e for e in log.events if e.event_type == EventType.EV_EVENT_TAG]
    for algorithm in log.algorithms:
        assert matches_load_options(event, f"BOOT_IMAGE={line}", algorithm)
        assert not matches_load_options(event, line, algorithm)


def test_the_command_line_of_td_shim_is_in_the_log() -> None:
    log = load("tdx/trustee-ccel_data/ccel_data")
    assert (log.spec_errata, log.vendor_info, log.filler) == (105, b"td-shim", 0)
    flags = payloads(log, ConfigFlags)
    assert [(flag.name, flag.text) for flag in flags][1:] == [
        ("td_payload_info", "root=/dev/vda1 console=hvc0 rw")
    ]


def test_a_kernel_booted_by_qemu_is_named_by_its_device_path() -> None:
    log = load("tdx/trustee-ccel_data_ovmf/ccel_data_ovmf")
    (image,) = payloads(log, LoadedImage)
    assert image.device_path == ("VenMedia(1428f772-b64a-441e-b8c3-9ebdd7f893c7)", "kernel")


def test_attestation_agent_entries() -> None:
    log = load("tdx/trustee-ccel_aael_alibabacloud/ccel_aael_alibabacloud")
    assert payloads(log, AaelEntry) == [
        AaelEntry("coco.com", "some-operation", "some-content"),
        AaelEntry("coco.com", "some-operation", '{"key": "value", "nested-key": {"sub-key": "value"}}'),
    ]
    assert (log.filler, log.filler_length) == (0xFF, 8)


def test_secure_boot_variables() -> None:
    log = load("tdx/trustee-ccel_data_grub/ccel_data_grub")
    variables = {
        variable.name: variable.value
        for event in log.events
        if event.event_type == EventType.EV_EFI_VARIABLE_DRIVER_CONFIG
        and isinstance(variable := decode_event(event), UefiVariable)
    }
    assert variables["SecureBoot"] is True
    kinds = {
        name: Counter(signature.type for signature in value if isinstance(signature, Signature))
        for name, value in variables.items()
        if isinstance(value, tuple)
    }
    assert kinds == {"PK": {"X.509": 1}, "KEK": {"X.509": 2}, "db": {"X.509": 2}, "dbx": {"SHA-256": 1}}


# -- a quote and the logs of the same machine ---------------------------------------------------------


def quoted_rtmrs(folder: Path) -> tuple[bytes, bytes, bytes, bytes]:
    quote = (folder / "tdx_quote_live.dat").read_bytes()
    at = 48 + 328
    first, second, third, fourth = (quote[at + 48 * i : at + 48 * i + 48] for i in range(4))
    return first, second, third, fourth


def live_folder() -> Path:
    (vector,) = vectors("tdx-live-bundle")
    return VECTORS / str(vector["dir"])


def test_a_log_of_the_boot_that_was_quoted_matches_all_registers() -> None:
    folder = live_folder()
    log = parse_event_log((folder / "tdx_ccel_live2.dat").read_bytes())
    comparisons = compare_with_rtmrs(log, quoted_rtmrs(folder))
    assert [comparison.matches for comparison in comparisons] == [True] * 4
    assert [comparison.inconsistent for comparison in comparisons] == [()] * 4
    assert comparisons[3].events == ()


def test_a_log_of_another_boot_differs_in_rtmr2_and_says_what_cannot_be_known() -> None:
    folder = live_folder()
    log = parse_event_log((folder / "tdx_ccel_live.bin").read_bytes())
    comparisons = compare_with_rtmrs(log, quoted_rtmrs(folder))
    assert [comparison.matches for comparison in comparisons] == [True, True, False, True]
    rtmr2 = comparisons[2]
    assert rtmr2.events == (16, 17)
    parting = rtmr2.parting
    assert parting is not None
    # The digests are of the command line and the initrd, and the log has neither.
    assert parting.kind is PartingKind.NOT_LOCALISED
    assert not parting.established
    assert parting.event is log.events[17]
    assert decode_event(log.events[17]) == TaggedEvent(0x8F3B22EC, b"Linux initrd\0", "Linux initrd")


def test_the_event_that_differs_between_the_two_boots_is_the_initrd() -> None:
    folder = live_folder()
    first = parse_event_log((folder / "tdx_ccel_live.bin").read_bytes())
    second = parse_event_log((folder / "tdx_ccel_live2.dat").read_bytes())
    assert [a.index for a, b in zip(first.events, second.events, strict=True) if a != b] == [17]


@pytest.mark.parametrize("dropped", range(20))
def test_a_real_log_without_one_event_does_not_match_and_with_one_twice_names_it(dropped: int) -> None:
    folder = live_folder()
    data = (folder / "tdx_ccel_live2.dat").read_bytes()
    log = parse_event_log(data)
    event = log.events[dropped]
    entry = event.encode()
    without = log.encode().replace(entry, b"", 1)
    comparisons = compare_with_rtmrs(parse_event_log(without), quoted_rtmrs(folder))
    wrong = [comparison.register for comparison in comparisons if not comparison.matches]
    assert wrong == [event.register]
    twice = parse_event_log(log.encode()[: event.offset] + entry + log.encode()[event.offset :])
    (parting,) = [c.parting for c in compare_with_rtmrs(twice, quoted_rtmrs(folder)) if c.parting]
    assert parting.established
    assert parting.event is not None
    assert parting.event.digests == event.digests
