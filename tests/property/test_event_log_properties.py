"""Laws of event logs: what is parsed encodes to the same bytes, and only FormatError is raised."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from eaa.errors import FormatError
from eaa.evidence.event_decode import decode_event, describe_event
from eaa.evidence.event_digest import DigestCheck, check_digest
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.event_log import Digest, Event, EventLog, parse_event_log
from eaa.evidence.event_payload import Undecoded
from eaa.evidence.event_replay import PartingKind, compare_with_rtmrs, replay
from eaa.evidence.event_type import EventType

U32 = st.integers(0, 0xFFFFFFFF)
TYPES = st.one_of(st.sampled_from([int(member) for member in EventType]), U32)
SHA384 = HashAlgorithm.SHA384
ZERO = bytes(48)


@st.composite
def event_logs(draw: st.DrawFn) -> EventLog:
    algorithms = tuple(
        draw(st.lists(st.sampled_from(list(HashAlgorithm)), min_size=1, max_size=4, unique=True))
    )
    events: list[Event] = []
    for index in range(draw(st.integers(0, 5))):
        chosen = draw(st.lists(st.sampled_from(algorithms), min_size=1, unique=True))
        digests = tuple(
            Digest(algorithm, draw(st.binary(min_size=algorithm.digest_size, max_size=algorithm.digest_size)))
            for algorithm in chosen
        )
        register = draw(st.one_of(st.integers(0, 23), U32))
        # An index and a type of all ones is how a filler begins.
        event_type = draw(TYPES.filter(lambda code: code != 0xFFFFFFFF))
        events.append(Event(index, 0, register, event_type, digests, draw(st.binary(max_size=40))))
    vendor_info = draw(st.binary(max_size=255))
    errata = draw(st.integers(0, 255))
    return EventLog(
        draw(U32),
        draw(U32),
        2,
        0,
        errata,
        draw(st.sampled_from([1, 2])),
        algorithms,
        vendor_info,
        tuple(events),
        None,
        0,
    )


SMALL = EventLog(
    1,
    0,
    2,
    0,
    0,
    2,
    (HashAlgorithm.SHA256, SHA384),
    b"vendor",
    (
        Event(0, 0, 1, 4, (Digest(SHA384, SHA384.hash(bytes(4))),), bytes(4)),
        Event(1, 0, 3, 0x0D, (Digest(SHA384, SHA384.hash(b"ls")),), b"grub_cmd: ls\0"),
        Event(2, 0, 3, 5, (Digest(SHA384, bytes(48)), Digest(HashAlgorithm.SHA256, bytes(32))), b"action"),
    ),
    None,
    0,
).encode()


def read_everything(data: bytes) -> None:
    """Whatever ``data`` is: a log that encodes to it and is usable in every way, or a FormatError."""
    try:
        log = parse_event_log(data)
    except FormatError:
        return
    filler = b"" if log.filler is None else bytes((log.filler,)) * log.filler_length
    assert log.encode() + filler == data
    for event in log.events:
        json.dumps(describe_event(event))
    try:
        for algorithm in log.algorithms:
            replay(log, algorithm)
        compare_with_rtmrs(log, (ZERO, ZERO, ZERO, ZERO))
    except FormatError:
        return


@given(event_logs())
def test_parse_of_encode_is_identity(log: EventLog) -> None:
    parsed = parse_event_log(log.encode())
    assert parsed.encode() == log.encode()
    for ours, theirs in zip(parsed.events, log.events, strict=True):
        assert (ours.register, ours.event_type, ours.digests, ours.data) == (
            theirs.register,
            theirs.event_type,
            theirs.digests,
            theirs.data,
        )
        assert log.encode()[ours.offset :].startswith(ours.encode())


@given(event_logs(), st.sampled_from([0x00, 0xFF]), st.integers(1, 100))
def test_a_filler_changes_nothing_but_itself(log: EventLog, byte: int, length: int) -> None:
    parsed = parse_event_log(log.encode() + bytes((byte,)) * length)
    assert (parsed.filler, parsed.filler_length) == (byte, length)
    assert parsed.events == parse_event_log(log.encode()).events


@given(st.binary(max_size=300))
def test_arbitrary_bytes(data: bytes) -> None:
    read_everything(data)


@given(st.binary(max_size=300))
def test_arbitrary_events_after_a_header(data: bytes) -> None:
    read_everything(SMALL[: SMALL.index(b"vendor") + 6] + data)


@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_mutations(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for at, value in changes:
        data[at] = value
    read_everything(bytes(data))


def test_truncations() -> None:
    for length in range(len(SMALL) + 1):
        read_everything(SMALL[:length])


@given(TYPES, st.binary(max_size=200))
def test_decoding_never_raises(event_type: int, data: bytes) -> None:
    event = Event(0, 0, 1, event_type, (Digest(SHA384, ZERO),), data)
    if isinstance(decode_event(event), Undecoded):
        assert describe_event(event)["data"] == data.hex()
    check_digest(event, SHA384)


@given(st.binary(max_size=100), st.sampled_from([EventType.EV_ACTION, EventType.EV_EFI_ACTION]))
def test_any_changed_data_of_a_covered_event_is_noticed(data: bytes, event_type: int) -> None:
    event = Event(0, 0, 1, event_type, (Digest(SHA384, SHA384.hash(data)),), data)
    assert check_digest(event, SHA384) is DigestCheck.MATCHES
    changed = Event(0, 0, 1, event_type, event.digests, data + b"\0")
    assert check_digest(changed, SHA384) is DigestCheck.DIFFERS


@given(st.lists(st.binary(min_size=48, max_size=48), min_size=1, max_size=8, unique=True), st.data())
def test_a_prefix_and_an_extra_event_are_always_found(digests: list[bytes], data: st.DataObject) -> None:
    events = tuple(
        Event(index, 0, 2, EventType.EV_POST_CODE, (Digest(SHA384, digest),), b"")
        for index, digest in enumerate(digests)
    )
    log = EventLog(0, 0, 2, 0, 0, 2, (SHA384,), b"", events, None, 0)
    left_out = data.draw(st.integers(0, len(events) - 1))
    covered = events[:left_out] if data.draw(st.booleans()) else events[:left_out] + events[left_out + 1 :]
    quoted = ZERO
    for event in covered:
        quoted = SHA384.hash(quoted + event.digests[0].value)
    parting = compare_with_rtmrs(log, (ZERO, quoted, ZERO, ZERO))[1].parting
    assert parting is not None
    assert parting.kind in (PartingKind.NOT_IN_QUOTE, PartingKind.EXTRA_EVENT)
    assert parting.event == events[left_out]
