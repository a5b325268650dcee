"""Structure of event logs: each refusal of the parser has a log that fails only there."""

from __future__ import annotations

import hashlib

import pytest

from eaa.errors import FormatError
from eaa.evidence import event_log
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog, parse_event_log
from eaa.evidence.event_type import EventType, event_type_name

SIZES = {0x04: 20, 0x0B: 32, 0x0C: 48, 0x0D: 64, 0x12: 32, 0x27: 32, 0x28: 48, 0x29: 64}


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def spec_id(
    *,
    signature: bytes = b"Spec ID Event03\0",
    version: bytes = b"\0\2\0\2",
    table: tuple[tuple[int, int], ...] = ((0x0B, 32), (0x0C, 48)),
    count: int | None = None,
    vendor: bytes = b"\0",
    more: bytes = b"",
) -> bytes:
    algorithms = b"".join(u16(code) + u16(size) for code, size in table)
    number = len(table) if count is None else count
    return signature + u32(0) + version + u32(number) + algorithms + vendor + more


def header(
    data: bytes | None = None,
    *,
    register: int = 1,
    event_type: int = 3,
    digest: bytes = bytes(20),
    size: int | None = None,
) -> bytes:
    data = spec_id() if data is None else data
    return u32(register) + u32(event_type) + digest + u32(len(data) if size is None else size) + data


def entry(
    *,
    register: int = 1,
    event_type: int = 4,
    digests: tuple[tuple[int, bytes], ...] = ((0x0B, b"\x11" * 32), (0x0C, b"\x22" * 48)),
    count: int | None = None,
    data: bytes = b"\0\0\0\0",
    size: int | None = None,
) -> bytes:
    number = len(digests) if count is None else count
    values = b"".join(u16(code) + value for code, value in digests)
    length = len(data) if size is None else size
    return u32(register) + u32(event_type) + u32(number) + values + u32(length) + data


HEADER = header()


def test_a_log_without_events() -> None:
    log = parse_event_log(HEADER)
    assert log == EventLog(
        register=1,
        platform_class=0,
        spec_version_major=2,
        spec_version_minor=0,
        spec_errata=0,
        uintn_size=2,
        algorithms=(HashAlgorithm.SHA256, HashAlgorithm.SHA384),
        vendor_info=b"",
        events=(),
        filler=None,
        filler_length=0,
    )
    assert log.encode() == HEADER


def test_events_keep_everything_and_their_place() -> None:
    first = entry()
    second = entry(register=0xFFFFFFFF, event_type=3, digests=((0x0C, b"\x33" * 48),), data=b"")
    log = parse_event_log(HEADER + first + second)
    sha256, sha384 = HashAlgorithm.SHA256, HashAlgorithm.SHA384
    assert log.events == (
        Event(
            0,
            len(HEADER),
            1,
            4,
            (Digest(sha256, b"\x11" * 32), Digest(sha384, b"\x22" * 48)),
            b"\0\0\0\0",
        ),
        Event(1, len(HEADER) + len(first), 0xFFFFFFFF, 3, (Digest(sha384, b"\x33" * 48),), b""),
    )
    assert log.encode() == HEADER + first + second


def test_the_digest_of_a_bank() -> None:
    event = parse_event_log(HEADER + entry(digests=((0x0C, b"\x22" * 48),))).events[0]
    assert event.digest(HashAlgorithm.SHA384) == b"\x22" * 48
    with pytest.raises(FormatError, match=r"events\[0\].digests at offset 69: no SHA-256 digest") as caught:
        event.digest(HashAlgorithm.SHA256)
    assert caught.value.code == "format.missing_digest"


def test_vendor_information_and_all_algorithms() -> None:
    data = header(spec_id(table=tuple(SIZES.items()), version=b"\0\2\x69\1", vendor=b"\7td-shim"))
    log = parse_event_log(data)
    assert log.vendor_info == b"td-shim"
    assert (log.spec_errata, log.uintn_size) == (105, 1)
    assert log.algorithms == tuple(HashAlgorithm)
    assert log.encode() == data


# -- the filler ------------------------------------------------------------------------------------


@pytest.mark.parametrize("byte", [0x00, 0xFF])
@pytest.mark.parametrize("length", [1, 3, 7, 8, 11, 12, 13, 5000])
def test_the_rest_of_the_area_may_be_filled(byte: int, length: int) -> None:
    log = parse_event_log(HEADER + entry() + bytes((byte,)) * length)
    assert (len(log.events), log.filler, log.filler_length) == (1, byte, length)
    assert log.encode() == HEADER + entry()


@pytest.mark.parametrize(("byte", "length"), [(0x00, 12), (0xFF, 8), (0x00, 900), (0xFF, 900)])
def test_a_filler_holds_nothing_else(byte: int, length: int) -> None:
    filler = bytes((byte,)) * length
    with pytest.raises(FormatError, match="byte 0x05 in a filler") as caught:
        parse_event_log(HEADER + filler + b"\5" + filler)
    assert (caught.value.field, caught.value.offset) == ("filler", len(HEADER) + length)


def test_an_event_after_the_filler_is_refused() -> None:
    with pytest.raises(FormatError, match="in a filler of 0xff"):
        parse_event_log(HEADER + b"\xff" * 8 + entry())


def test_an_index_of_all_ones_is_not_yet_a_filler() -> None:
    log = parse_event_log(HEADER + entry(register=0xFFFFFFFF, event_type=3))
    assert log.events[0].register == 0xFFFFFFFF


def test_index_and_type_of_zero_are_not_yet_a_filler() -> None:
    log = parse_event_log(HEADER + entry(register=0, event_type=0))
    assert log.events[0].type_name == "EV_PREBOOT_CERT"


# -- refusals --------------------------------------------------------------------------------------

S = 32  # the offset of the Spec ID event
E = len(HEADER)  # the offset of the first event

REFUSED = {
    "empty": (b"", "header.pcr_index", 0, "truncated"),
    "first event is an action": (header(event_type=5), "header.event_type", 4, "bad_value"),
    "digest in the header": (header(digest=bytes(19) + b"\1"), "header.digest", 8, "bad_value"),
    "header longer than the log": (header(size=1000), "header.event", S, "truncated"),
    "legacy SHA-1 log": (header(b"StartupLocality\0\3"), "spec_id.signature", S, "bad_value"),
    "Spec ID Event02": (
        header(spec_id(signature=b"Spec ID Event02\0")),
        "spec_id.signature",
        S,
        "bad_value",
    ),
    "Spec ID without signature": (header(b"Spec"), "spec_id.signature", S, "truncated"),
    "major version 1": (header(spec_id(version=b"\0\1\0\2")), "spec_id.spec_version", S + 20, "bad_value"),
    "minor version 1": (header(spec_id(version=b"\1\2\0\2")), "spec_id.spec_version", S + 20, "bad_value"),
    "UINTN of 128 bits": (header(spec_id(version=b"\0\2\0\3")), "spec_id.uintn_size", S + 23, "bad_value"),
    "no algorithms": (header(spec_id(table=())), "spec_id.number_of_algorithms", S + 24, "bad_value"),
    "nine algorithms": (header(spec_id(count=9)), "spec_id.number_of_algorithms", S + 24, "bad_value"),
    "unknown algorithm in the table": (
        header(spec_id(table=((0x0B, 32), (0x10, 32)))),
        "spec_id.digest_sizes[1].algorithm_id",
        S + 32,
        "bad_value",
    ),
    "algorithm twice in the table": (
        header(spec_id(table=((0x0B, 32), (0x0B, 32)))),
        "spec_id.digest_sizes[1].algorithm_id",
        S + 32,
        "duplicate",
    ),
    "SHA-384 of 32 bytes": (
        header(spec_id(table=((0x0C, 32),))),
        "spec_id.digest_sizes[0].digest_size",
        S + 30,
        "bad_value",
    ),
    "vendor information cut": (
        header(spec_id(vendor=b"\5abcd")),
        "spec_id.vendor_info",
        S + 37,
        "truncated",
    ),
    "bytes after the vendor information": (
        header(spec_id(more=b"\1")),
        "spec_id",
        S + 37,
        "trailing_bytes",
    ),
    "event without digests": (HEADER + entry(digests=()), "events[0].digests.count", E + 8, "bad_value"),
    "more digests than the table": (
        HEADER + entry(count=3),
        "events[0].digests.count",
        E + 8,
        "bad_value",
    ),
    "four thousand million digests": (
        HEADER + entry(count=0xFFFFFFFF),
        "events[0].digests.count",
        E + 8,
        "bad_value",
    ),
    "unknown algorithm in an event": (
        HEADER + entry(digests=((0x10, bytes(32)),)),
        "events[0].digests[0].algorithm_id",
        E + 12,
        "bad_value",
    ),
    "algorithm that is not in the table": (
        HEADER + entry(digests=((0x04, bytes(20)),)),
        "events[0].digests[0].algorithm_id",
        E + 12,
        "bad_value",
    ),
    "digest twice": (
        HEADER + entry(digests=((0x0B, bytes(32)), (0x0B, bytes(32)))),
        "events[0].digests[1].algorithm_id",
        E + 46,
        "duplicate",
    ),
    "event longer than the log": (
        HEADER + entry(data=b"abc", size=4),
        "events[0].event",
        E + 100,
        "truncated",
    ),
    "event of four gigabytes": (
        HEADER + entry(size=0xFFFFFFFF),
        "events[0].event",
        E + 100,
        "truncated",
    ),
    "second event cut": (HEADER + entry() + entry()[:11], "events[1].digests.count", E + 112, "truncated"),
}


@pytest.mark.parametrize(("data", "field", "offset", "detail"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: bytes, field: str, offset: int, detail: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_event_log(data)
    error = caught.value
    assert (error.field, error.offset, error.code) == (field, offset, f"format.{detail}")
    assert error.what == "event log"
    assert error.spec.startswith("[TCG-PFP §10.")


def test_a_log_may_have_as_many_events_as_the_bound_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_EVENTS", 3)
    log = parse_event_log(HEADER + 3 * entry() + b"\xff" * 20)
    assert len(log.events) == 3
    with pytest.raises(FormatError, match="more than 3") as caught:
        parse_event_log(HEADER + 4 * entry())
    assert (caught.value.code, caught.value.offset) == ("format.too_many", E + 3 * len(entry()))


def test_a_log_may_be_as_long_as_the_bound_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_LOG_BYTES", len(HEADER) + 100)
    assert parse_event_log(HEADER + b"\xff" * 100).filler_length == 100
    with pytest.raises(FormatError) as caught:
        parse_event_log(HEADER + b"\xff" * 101)
    assert caught.value.code == "format.too_large"


def test_a_log_cut_anywhere_but_between_events_is_refused() -> None:
    data = HEADER + entry() + entry(event_type=5, data=b"action")
    ends = (len(HEADER), len(HEADER + entry()))
    for length in range(len(data)):
        if length in ends:
            assert parse_event_log(data[:length]).encode() == data[:length]
        else:
            with pytest.raises(FormatError):
                parse_event_log(data[:length])


def test_a_cut_inside_an_index_of_zero_cannot_be_told_from_a_filler() -> None:
    log = parse_event_log((HEADER + entry(register=0))[: len(HEADER) + 3])
    assert (log.events, log.filler, log.filler_length) == ((), 0, 3)


# -- names and hashes ------------------------------------------------------------------------------


def test_names_of_event_types() -> None:
    assert event_type_name(0x8000000B) == "EV_EFI_HANDOFF_TABLES2"
    assert event_type_name(0x800000E4) == "EV_EFI_SPDM_DEVICE_AUTHORITY"
    assert event_type_name(0x0000ABCD) == "0x0000abcd"
    assert all(event_type_name(member) == member.name for member in EventType)


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_hashes(algorithm: HashAlgorithm) -> None:
    assert algorithm.digest_size == SIZES[algorithm]
    # "abc" in SM3 is example 1 of GB/T 32905-2016.
    expected = (
        bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
        if algorithm is HashAlgorithm.SM3_256
        else hashlib.new(algorithm.label.lower().replace("sha-", "sha").replace("3-", "3_"), b"abc").digest()
    )
    assert algorithm.hash(b"abc") == expected
