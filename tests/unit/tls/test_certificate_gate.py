from __future__ import annotations

from collections.abc import Callable

import pytest

from eaa.errors import LocalProtocolError, RemoteProtocolError, UsageError
from eaa.tls.certificate_gate import MAX_EARLY_BYTES, CertificateGate
from eaa.tls.gate_events import Appraise, Data, Ended, Opened
from tests.fakes.gates import evidence

DEMANDED = Appraise(evidence(), bytes(64))


def opened() -> CertificateGate:
    gate = CertificateGate(None)
    gate.start()
    assert gate.next_event() == Opened()
    return gate


def test_nothing_demanded() -> None:
    gate = opened()
    gate.send(b"one")
    gate.send(b"two")
    assert gate.take() == b"onetwo"
    gate.feed(b"three")
    assert gate.next_event() == Data(b"three")
    gate.end_of_stream()
    assert gate.next_event() == Ended()
    assert gate.next_event() is None


def test_early_bytes_wait_for_the_verdict() -> None:
    gate = CertificateGate(DEMANDED)
    gate.start()
    assert gate.next_event() is DEMANDED
    gate.feed(b"early")
    assert gate.next_event() is None
    assert not gate.open
    with pytest.raises(LocalProtocolError):
        gate.send(b"x")
    gate.accept()
    assert [gate.next_event(), gate.next_event()] == [Opened(), Data(b"early")]
    with pytest.raises(LocalProtocolError):
        gate.accept()


def test_early_bytes_are_bounded() -> None:
    gate = CertificateGate(DEMANDED)
    gate.start()
    gate.feed(bytes(MAX_EARLY_BYTES))
    with pytest.raises(RemoteProtocolError) as caught:
        gate.feed(b"x")
    assert caught.value.code == "remote_protocol.early_data"


def test_early_bytes_one_by_one_are_bounded_too() -> None:
    """In one pass: when all were counted at each, this took a minute of a server's time."""
    gate = CertificateGate(DEMANDED)
    gate.start()
    for _ in range(MAX_EARLY_BYTES):
        gate.feed(b"x")
    with pytest.raises(RemoteProtocolError):
        gate.feed(b"x")


def test_a_refusal_drops_what_came() -> None:
    gate = CertificateGate(DEMANDED)
    gate.start()
    gate.feed(b"early")
    gate.fail("binding.report_data")
    assert gate.next_event() is None
    assert gate.take() == b""
    with pytest.raises(LocalProtocolError):
        gate.accept()


def test_an_end_before_the_verdict_waits_for_it() -> None:
    gate = CertificateGate(DEMANDED)
    gate.start()
    gate.feed(b"all there is")
    gate.end_of_stream()
    assert [gate.next_event(), gate.next_event()] == [DEMANDED, None]
    gate.accept()
    found = [gate.next_event() for _ in range(4)]
    assert found == [Opened(), Data(b"all there is"), Ended(), None]


def test_nothing_is_sent_after_the_end() -> None:
    gate = opened()
    gate.finish()
    with pytest.raises(LocalProtocolError):
        gate.send(b"x")


def test_what_only_the_gate_with_frames_has() -> None:
    gate = opened()
    steps: list[Callable[[], None]] = [
        gate.renew,
        lambda: gate.challenge(bytes(32)),
        lambda: gate.provide(evidence()),
        lambda: gate.answer(evidence()),
    ]
    for step in steps:
        with pytest.raises(UsageError):
            step()


def test_nothing_is_sent_at_once_before_what_waits_or_after_the_end() -> None:
    gate = opened()
    assert gate.sends_at_once
    gate.send(b"first")
    assert not gate.sends_at_once
    gate.take()
    assert gate.sends_at_once
    gate.finish()
    assert not gate.sends_at_once
