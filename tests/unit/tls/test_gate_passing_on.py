"""DATA frames that are handed on as frames: only by an open gate, in order, and each admitted."""

from __future__ import annotations

import pytest

from eaa.errors import RemoteProtocolError
from eaa.tls.frames import HEADER_BYTES, FrameType
from eaa.tls.gate import Gate
from eaa.tls.gate_events import CollectAnswer, Data
from tests.fakes.gates import NEITHER, SHOWS, client_gate, events, frame, hello

DATA = frame(FrameType.DATA, b"data")
CHALLENGE = frame(FrameType.CHALLENGE, bytes(range(1, 33)))


def passed_on(gate: Gate, came: bytes) -> tuple[bytes, int, bytes]:
    frames, size, rest = gate.pass_on(memoryview(bytearray(bytes(HEADER_BYTES) + came)))
    return bytes(frames), size, bytes(rest)


def exchanging() -> Gate:
    """A gate that waits for nothing but the peer's ACCEPT."""
    gate = client_gate(terms=SHOWS)
    gate.start()
    events(gate, hello(NEITHER))
    return gate


def opened() -> Gate:
    gate = exchanging()
    events(gate, frame(FrameType.ACCEPT))
    assert gate.open
    return gate


def test_an_open_gate_hands_frames_on() -> None:
    assert passed_on(opened(), DATA + CHALLENGE) == (DATA, 4, CHALLENGE)


def test_a_gate_that_is_not_open_hands_nothing_on() -> None:
    gate = exchanging()
    assert passed_on(gate, DATA) == (b"", 0, DATA)
    with pytest.raises(RemoteProtocolError) as caught:
        events(gate, DATA)
    assert caught.value.code == "remote_protocol.early_data"


def test_a_gate_that_is_renewed_hands_frames_on() -> None:
    gate = opened()
    gate.renew()
    assert passed_on(gate, DATA) == (DATA, 4, b"")


def test_what_has_happened_comes_first() -> None:
    gate = opened()
    gate.feed(CHALLENGE)
    assert passed_on(gate, DATA) == (b"", 0, DATA)
    found = events(gate, DATA)
    assert [type(event) for event in found] == [CollectAnswer, Data]


def test_an_event_that_nobody_asked_for_comes_first() -> None:
    gate = opened()
    gate.end_of_stream()
    assert passed_on(gate, DATA) == (b"", 0, DATA)
    with pytest.raises(RemoteProtocolError):
        events(gate, DATA)


def test_data_after_the_end_of_the_data_is_refused() -> None:
    gate = opened()
    events(gate, frame(FrameType.CLOSE))
    assert passed_on(gate, DATA) == (b"", 0, DATA)
    with pytest.raises(RemoteProtocolError) as caught:
        events(gate, DATA)
    assert caught.value.code == "remote_protocol.out_of_order"


def test_frames_of_another_channel_are_sent_at_once_only_if_nothing_goes_before_them() -> None:
    gate = exchanging()
    gate.take()
    assert not gate.sends_at_once
    events(gate, frame(FrameType.ACCEPT))
    assert gate.sends_at_once
    gate.renew()
    assert not gate.sends_at_once
    gate.take()
    assert gate.sends_at_once
    gate.finish()
    gate.take()
    assert not gate.sends_at_once
