from __future__ import annotations

import hashlib

import pytest

from eaa.errors import (
    AttesterError,
    BindingError,
    EAAError,
    LocalProtocolError,
    RemoteProtocolError,
    UsageError,
)
from eaa.tls.attached import encode_answer, encode_attached
from eaa.tls.claims import gate_claims, gate_report_data
from eaa.tls.frames import MAX_DATA_BYTES, FrameType
from eaa.tls.gate import Gate
from eaa.tls.gate_events import (
    Answered,
    Appraise,
    Collect,
    CollectAnswer,
    Data,
    Ended,
    Opened,
    Refused,
    Renewed,
)
from eaa.tls.gate_state import Phase, Terms
from eaa.tls.peer import Profile, Role
from eaa.tls.relayed import relayed_claims
from tests.fakes.gates import (
    ASKS,
    BOTH,
    CLIENT_KEY,
    NEITHER,
    SERVER_KEY,
    SHOWS,
    client_gate,
    events,
    evidence,
    export,
    frame,
    hello,
    server_gate,
)

NONCE = bytes(range(1, 33))


def report_data(role: Role, spki: bytes, nonce: bytes, context: bytes) -> bytes:
    """What [docs/adr/0010] says, written out once more."""
    binder = export(hashlib.sha256(context).digest())
    return gate_report_data(
        gate_claims(spki=spki, nonce=nonce, binder=binder, role=role, profile=Profile.EXPORTER_V1)
    )


def shake(client: Gate, server: Gate) -> None:
    """Both ends through a whole exchange; all evidence is accepted."""
    ends = ((client, server), (server, client))
    while any(not end.open or end.renewing for end in (client, server)):
        for number, (one, other) in enumerate(ends):
            for event in events(one, other.take()):
                match event:
                    case Collect():
                        one.provide(evidence(b"of end %d" % number))
                    case Appraise():
                        one.accept()
    for end in (client, server):
        events(end)


def opened(client_terms: Terms = ASKS, server_terms: Terms = SHOWS) -> tuple[Gate, Gate]:
    client, server = client_gate(terms=client_terms), server_gate(terms=server_terms)
    client.start()
    server.start()
    shake(client, server)
    return client, server


def refused(gate: Gate, data: bytes) -> str:
    with pytest.raises(EAAError) as caught:
        events(gate, data)
    return caught.value.code


def started(**options: object) -> Gate:
    """A client gate that has said HELLO."""
    gate = client_gate(**options)
    gate.start()
    gate.take()
    return gate


def exchanging(**options: object) -> Gate:
    """A demanding client gate that has the server's HELLO and its ACCEPT."""
    gate = started(**options)
    events(gate, hello(SHOWS) + frame(FrameType.ACCEPT))
    return gate


# In order.


def test_one_way() -> None:
    client, server = client_gate(), server_gate()
    client.start()
    server.start()
    to_server, to_client = client.take(), server.take()

    assert events(client, to_client) == []
    (collect,) = events(server, to_server)
    assert collect == Collect(report_data(Role.SERVER, SERVER_KEY, b"\xc1" * 32, b"\xc1" * 32 + b"\x51" * 32))
    assert server.take() == frame(FrameType.ACCEPT)  # nothing is demanded of the client
    assert not server.open

    server.provide(evidence())
    events(client, frame(FrameType.ACCEPT))
    (appraise,) = events(client, server.take())
    assert appraise == Appraise(evidence(), collect.report_data)
    assert client.take() == b""
    assert not client.open

    client.accept()
    assert events(client) == [Opened()]
    assert events(server, client.take()) == [Opened()]
    client.send(b"hello")
    assert events(server, client.take()) == [Data(b"hello")]


def test_mutual() -> None:
    client, server = client_gate(terms=BOTH), server_gate(terms=BOTH)
    client.start()
    server.start()
    to_server, to_client = client.take(), server.take()
    nonces = b"\xc1" * 32 + b"\x51" * 32
    assert events(client, to_client) == [Collect(report_data(Role.CLIENT, CLIENT_KEY, b"\x51" * 32, nonces))]
    assert events(server, to_server) == [Collect(report_data(Role.SERVER, SERVER_KEY, b"\xc1" * 32, nonces))]
    client.provide(evidence(b"client"))
    server.provide(evidence(b"server"))
    shake(client, server)
    assert client.phase is server.phase is Phase.OPEN


def test_nothing_demanded_opens_after_both_hellos() -> None:
    client, server = opened(NEITHER, NEITHER)
    assert client.open
    assert server.open


def test_bytes_may_come_in_any_pieces() -> None:
    gate = exchanging()
    stream = frame(FrameType.EVIDENCE, encode_attached(evidence()))
    found = [event for byte in stream for event in events(gate, bytes((byte,)))]
    assert len(found) == 1
    gate.accept()
    assert events(gate, frame(FrameType.DATA, b"abc")[:7]) == [Opened(), Data(b"ab")]
    assert events(gate, b"c") == [Data(b"c")]


def test_data_is_cut_into_frames() -> None:
    client, server = opened()
    client.send(bytes(MAX_DATA_BYTES + 1))
    client.send(b"")
    assert [len(event.data) for event in events(server, client.take()) if isinstance(event, Data)] == [
        MAX_DATA_BYTES, 1,
    ]  # fmt: skip


def test_an_end_each_closes() -> None:
    client, server = opened()
    client.finish()
    client.finish()
    assert events(server, client.take()) == [Ended()]
    server.send(b"more")
    server.finish()
    assert server.phase is Phase.CLOSED
    assert events(client, server.take()) == [Data(b"more"), Ended()]
    assert client.phase is Phase.CLOSED
    client.end_of_stream()


def test_the_end_of_tls_is_an_end() -> None:
    client, _ = opened()
    client.end_of_stream()
    client.end_of_stream()
    assert events(client) == [Ended()]


def test_failing_tells_the_code_once() -> None:
    gate = exchanging()
    events(gate, frame(FrameType.EVIDENCE, encode_attached(evidence())))
    gate.fail("binding.report_data")
    gate.fail("again")
    assert gate.take() == frame(FrameType.CLOSE, b"binding.report_data")
    with pytest.raises(LocalProtocolError):
        gate.accept()
    gate.end_of_stream()


def test_a_refusal_is_told() -> None:
    gate = started()
    assert events(gate, frame(FrameType.CLOSE, b"appraisal.debug")) == [Refused("appraisal.debug")]
    assert gate.phase is Phase.CLOSED


# Renewal.


@pytest.mark.parametrize("who", ["client", "server", "both"])
def test_renewal(who: str) -> None:
    client, server = opened(BOTH, BOTH)
    if who != "server":
        client.renew()
        client.renew()  # under way already
    if who != "client":
        server.renew()
    assert client.renewing or server.renewing
    client.send(b"meanwhile")
    found = []
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            for event in events(one, other.take()):
                found.append(event)
                if isinstance(event, Collect):
                    one.provide(evidence(b"new of client" if one is client else b"new of server"))
                if isinstance(event, Appraise):
                    one.accept()
    assert found.index(Data(b"meanwhile")) < found.index(Renewed())
    assert found.count(Renewed()) == 2
    assert not client.renewing
    assert not server.renewing


def test_renewal_has_new_nonces() -> None:
    client, server = opened()
    client.renew()
    (collect,) = events(server, client.take())
    assert collect == Collect(report_data(Role.SERVER, SERVER_KEY, b"\xc2" * 32, b"\xc2" * 32 + b"\x52" * 32))


def test_terms_do_not_change() -> None:
    client, _ = opened()
    assert refused(client, hello(BOTH)) == "remote_protocol.hello_terms"


# Challenge.


def test_a_challenge_and_its_answer() -> None:
    client, server = opened()
    client.challenge(NONCE)
    claims = relayed_claims(spki=SERVER_KEY, nonce=NONCE)
    assert events(server, client.take()) == [CollectAnswer(gate_report_data(claims))]
    server.answer(evidence(b"for the nonce"))
    assert events(client, server.take()) == [Answered(evidence(b"for the nonce"), claims)]
    client.challenge(NONCE)  # another may follow


def test_one_challenge_at_a_time() -> None:
    client, server = opened()
    client.challenge(NONCE)
    with pytest.raises(LocalProtocolError) as caught:
        client.challenge(NONCE)
    assert caught.value.code == "local_protocol.challenge_pending"
    challenge = frame(FrameType.CHALLENGE, NONCE)
    assert refused(server, challenge + challenge) == "remote_protocol.challenge_refused"


def test_a_challenge_of_whom_provides_nothing() -> None:
    client, server = opened()
    with pytest.raises(AttesterError):
        server.challenge(NONCE)
    assert refused(client, frame(FrameType.CHALLENGE, NONCE)) == "remote_protocol.challenge_refused"


def test_a_challenge_of_zeros() -> None:
    _, server = opened()
    assert refused(server, frame(FrameType.CHALLENGE, bytes(32))) == "binding.nonce_zero"


def test_an_answer_to_nothing() -> None:
    client, _ = opened()
    answer = frame(FrameType.ANSWER, encode_answer(evidence(), b""))
    assert refused(client, answer) == "remote_protocol.answer_unasked"


def test_an_answer_for_another_nonce() -> None:
    client, _ = opened()
    client.challenge(NONCE)
    claims = relayed_claims(spki=SERVER_KEY, nonce=NONCE[::-1])
    answer = frame(FrameType.ANSWER, encode_answer(evidence(), claims))
    assert refused(client, answer) == "binding.answer_claims"


def test_an_answer_with_the_own_evidence() -> None:
    client, server = opened(BOTH, BOTH)
    client.challenge(NONCE)
    server.challenge(NONCE)
    events(client, server.take())
    client.answer(evidence(b"mine"))
    claims = relayed_claims(spki=SERVER_KEY, nonce=NONCE)
    answer = frame(FrameType.ANSWER, encode_answer(evidence(b"mine"), claims))
    assert refused(client, answer) == "binding.evidence_reflected"


# Refused of the peer.


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1", "remote_protocol.frame_type"),
        (b"\x00\x00\x00\x00\x00", "remote_protocol.frame_type"),
        (b"\x08\x00\x00\x00\x00", "remote_protocol.frame_type"),
        (b"\x01\x00\x00\x00\x23", "remote_protocol.frame_length"),
        (b"\x01\x00\x00\x00\x21", "remote_protocol.frame_length"),
        (frame(FrameType.DATA, b"x"), "remote_protocol.early_data"),
        (frame(FrameType.ACCEPT), "remote_protocol.out_of_order"),
        (frame(FrameType.EVIDENCE, b"x"), "remote_protocol.out_of_order"),
        (frame(FrameType.CHALLENGE, NONCE), "remote_protocol.out_of_order"),
        (frame(FrameType.ANSWER, b"x"), "remote_protocol.out_of_order"),
        (frame(FrameType.HELLO, b"\x02\x02" + NONCE), "remote_protocol.gate_version"),
        (frame(FrameType.HELLO, b"\x01\x06" + NONCE), "remote_protocol.hello_flags"),
        (hello(SHOWS, bytes(32)), "binding.nonce_zero"),
        (hello(SHOWS, b"\xc1" * 32), "binding.nonce_reflected"),
        (hello(NEITHER), "remote_protocol.evidence_withheld"),
        (hello(BOTH), "attester.no_attester"),
        (frame(FrameType.CLOSE), "remote_protocol.closed_in_gate"),
        (frame(FrameType.CLOSE, b"Not a code"), "remote_protocol.close_code"),
        (b"\x07\x00\x00\x00\x41", "remote_protocol.frame_length"),
    ],
)
def test_instead_of_hello(data: bytes, code: str) -> None:
    assert refused(started(), data) == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(FrameType.DATA, b"x"), "remote_protocol.early_data"),
        (hello(SHOWS), "remote_protocol.out_of_order"),
        (frame(FrameType.ACCEPT), "remote_protocol.out_of_order"),  # a second one
        (b"\x02\x00\x02\x00\x01", "remote_protocol.frame_length"),
        (b"\x02\x00\x00\x00\x00", "remote_protocol.frame_length"),
        (frame(FrameType.EVIDENCE, b"\x02"), "unsupported.evidence_version"),
        (frame(FrameType.EVIDENCE, b"\x01"), "format.truncated"),
        (frame(FrameType.CLOSE), "remote_protocol.closed_in_gate"),
    ],
)
def test_instead_of_evidence(data: bytes, code: str) -> None:
    assert refused(exchanging(), data) == code


def test_evidence_twice() -> None:
    data = frame(FrameType.EVIDENCE, encode_attached(evidence()))
    assert refused(exchanging(), data + data) == "remote_protocol.out_of_order"


def test_evidence_that_was_not_demanded() -> None:
    gate = server_gate()
    gate.start()
    assert refused(gate, hello(ASKS) + frame(FrameType.EVIDENCE, b"x")) == "remote_protocol.out_of_order"


def test_acceptance_of_what_was_not_sent() -> None:
    gate = server_gate()
    gate.start()
    assert refused(gate, hello(ASKS) + frame(FrameType.ACCEPT)) == "remote_protocol.accept_early"


def test_the_own_evidence() -> None:
    gate = server_gate(terms=BOTH)
    gate.start()
    events(gate, hello(BOTH))
    gate.provide(evidence(b"mine"))
    data = frame(FrameType.EVIDENCE, encode_attached(evidence(b"mine")))
    assert refused(gate, data) == "binding.evidence_reflected"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(FrameType.ACCEPT), "remote_protocol.out_of_order"),
        (frame(FrameType.EVIDENCE, b"x"), "remote_protocol.out_of_order"),
        (b"\x04\x00\x04\x00\x01", "remote_protocol.frame_length"),
        (b"\x04\x00\x00\x00\x00", "remote_protocol.frame_length"),
        (frame(FrameType.CLOSE) + frame(FrameType.DATA, b"x"), "remote_protocol.out_of_order"),
        (frame(FrameType.CLOSE) + frame(FrameType.CLOSE), "remote_protocol.out_of_order"),
    ],
)
def test_while_open(data: bytes, code: str) -> None:
    client, _ = opened()
    assert refused(client, data) == code


def test_after_the_end() -> None:
    gate = started()
    events(gate, frame(FrameType.CLOSE, b"x"))
    assert refused(gate, frame(FrameType.ACCEPT)) == "remote_protocol.out_of_order"


def test_the_end_of_tls_in_the_gate() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        exchanging().end_of_stream()
    assert caught.value.code == "remote_protocol.closed_in_gate"


@pytest.mark.parametrize("part", [frame(FrameType.DATA, b"abc")[:6], b"\x03\x00"])
def test_the_end_of_tls_inside_a_frame(part: bytes) -> None:
    client, _ = opened()
    events(client, part)
    with pytest.raises(RemoteProtocolError) as caught:
        client.end_of_stream()
    assert caught.value.code == "remote_protocol.truncated"


# Refused of the driver.


def test_no_key() -> None:
    with pytest.raises(UsageError):
        client_gate(peer_spki=b"")
    with pytest.raises(UsageError):
        server_gate(spki=b"")
    client_gate(spki=b"")
    server_gate(peer_spki=b"")


def test_the_own_key() -> None:
    with pytest.raises(BindingError) as caught:
        client_gate(peer_spki=CLIENT_KEY)
    assert caught.value.code == "binding.key_reflected"
    client_gate(terms=NEITHER, spki=b"", peer_spki=b"")


def test_out_of_turn() -> None:
    gate = client_gate()
    with pytest.raises(LocalProtocolError):
        gate.feed(b"x")
    gate.start()
    for step in (
        gate.start,
        gate.renew,
        gate.accept,
        gate.finish,
        lambda: gate.send(b"x"),
        lambda: gate.provide(evidence()),
        lambda: gate.answer(evidence()),
        lambda: gate.challenge(NONCE),
    ):
        with pytest.raises(LocalProtocolError):
            step()
    client, _ = opened()
    client.finish()
    with pytest.raises(LocalProtocolError):
        client.send(b"x")
