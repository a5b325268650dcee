"""Bounds on time, memory and work, and what is said about failures."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from itertools import repeat

import pytest

from eaa.appraisal.policy import Policy
from eaa.errors import AppraisalDenied, AttesterError, EAAError, RemoteProtocolError
from eaa.tls.frames import FrameType, encode_frame
from eaa.tls.gate_state import Hello, Terms
from eaa.tls.peer import AttachedEvidence, Profile
from eaa.transport import outgoing
from eaa.transport.blocking import AttestedSocket, connect
from eaa.transport.streams import AttestedStream, open_attested_connection
from eaa.transport.threads import shared
from tests.fakes.channel import FakeAttester, FakeVerifier, both_ends, client_config, server_config
from tests.fakes.loopback import Loopback, run
from tests.fakes.raw_peer import NONCE, connect_raw, own_certificate, raw_server


class SlowAttester(FakeAttester):
    """Takes its time; ``most`` is how many collections there were at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now, self.most = seconds, 0, 0
        self._lock = threading.Lock()

    def collect(self, report_data: bytes) -> AttachedEvidence:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self._lock:
            self.now -= 1
        return super().collect(report_data)


def test_a_peer_that_stops_in_the_gate_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    with Loopback(server_config(handshake_seconds=0.3)) as server, connect_raw(server.address) as peer:
        peer.handshake().say_hello(demands=True, provides=False)
        began = time.monotonic()
        assert peer.refusal() == "remote_protocol.deadline"
        assert time.monotonic() - began < 5
        assert not server.streams


def test_a_peer_that_stops_in_the_handshake_is_given_up() -> None:
    with Loopback(server_config(handshake_seconds=0.3)) as server, connect_raw(server.address) as peer:
        assert peer.sock.recv(1) == b""


def test_a_server_that_stops_in_the_gate_is_given_up() -> None:
    with raw_server(lambda peer: peer.read() + peer.read(), **own_certificate()) as address:
        with pytest.raises(RemoteProtocolError) as caught:
            connect(address, client_config(handshake_seconds=0.3))
        assert caught.value.code == "remote_protocol.deadline"


def test_an_attester_that_takes_too_long_is_named_as_such() -> None:
    attester = SlowAttester(1.0)
    with Loopback(server_config(attester=attester, handshake_seconds=0.3)) as server:
        with pytest.raises(RemoteProtocolError) as caught:
            connect(server.address, client_config())
        assert caught.value.fields["peer_code"] == "attester.deadline"


def test_half_open_connections_are_bounded() -> None:
    with Loopback(server_config(max_half_open=1)) as server:
        with connect_raw(server.address) as first:
            first.handshake()
            with connect_raw(server.address) as second, pytest.raises((RemoteProtocolError, OSError)):
                second.handshake()
        # One that is open counts no more, nor one that is gone.
        for _ in range(3):
            _connect_when_free(server.address)


def test_open_connections_are_bounded() -> None:
    with Loopback(server_config(max_connections=2)) as server:
        kept = [connect(server.address, client_config()) for _ in range(2)]
        with pytest.raises((RemoteProtocolError, OSError)):
            connect(server.address, client_config())
        for channel in kept:
            channel.send(b"open")
            assert channel.recv(4) == b"OPEN"
            channel.close()
        # One that is gone leaves its place.
        for _ in range(3):
            _connect_when_free(server.address)


def test_a_writer_does_not_wait_for_ever_for_a_peer_that_never_reads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: Future[EAAError] = Future()

    async def pour(stream: AttestedStream) -> None:
        try:
            while True:
                stream.write(b"x" * 65536)
                await stream.drain()
        except EAAError as error:
            ended.set_result(error)
            raise

    with Loopback(server_config(unread_seconds=0.2), pour) as server:
        channel = connect(server.address, client_config())
        assert ended.result(10).code == "remote_protocol.unread"
        channel.close()
    assert "read nothing for 0.2 s" in caplog.text


def test_a_peer_that_reads_slowly_is_waited_for() -> None:
    async def say_much(stream: AttestedStream) -> None:
        for _ in range(300):
            stream.write(b"x" * 65536)
            await stream.drain()

    async def sip() -> None:
        stream = await open_attested_connection(server.address, client_config())
        total = 0
        while data := await stream.read(1024 * 1024):
            total += len(data)
            await asyncio.sleep(0.1)
        assert total == 300 * 65536
        stream.close()

    with Loopback(server_config(unread_seconds=1.0), say_much) as server:
        run(sip())


def _connect_when_free(address: str) -> None:
    for attempt in range(100):
        try:
            connect(address, client_config()).close()
        except (RemoteProtocolError, OSError):
            if attempt == 99:
                raise
            time.sleep(0.02)
        else:
            return


def test_collections_are_bounded() -> None:
    attester = SlowAttester(0.05)

    async def connect_all() -> None:
        config = client_config()
        streams = await asyncio.gather(*(open_attested_connection(server.address, config) for _ in range(8)))
        for stream in streams:
            stream.close()

    with Loopback(server_config(attester=attester, max_concurrent_collections=2)) as server:
        run(connect_all())
    assert attester.most == 2


def pour(channel: AttestedSocket) -> None:
    """Send without end."""
    for _ in range(200):
        channel.send(b"x" * 65536)
        time.sleep(0.005)


def test_early_data_under_ratls_cert_is_kept_back_and_bounded() -> None:
    class SlowVerifier(FakeVerifier):
        def verify(self, *args: object, **options: object) -> None:  # type: ignore[override]  # never returns
            waiting.wait(10)
            raise AttesterError("the test is over")

    waiting = threading.Event()
    config = both_ends(Profile.RATLS_CERT, verifier=SlowVerifier())
    with Loopback(config) as server, connect(server.address, both_ends(Profile.RATLS_CERT)) as channel:
        with pytest.raises((RemoteProtocolError, OSError)):
            pour(channel)
        waiting.set()
        assert not server.received


def test_a_failure_is_logged_once_and_the_peer_learns_the_code_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(FakeAttester):
        def collect(self, report_data: bytes) -> AttachedEvidence:
            raise AttesterError("/dev/sgx is on fire", detail="device") from OSError("smoke")

    with (
        caplog.at_level(logging.WARNING, "eaa.transport"),
        Loopback(server_config(attester=Broken())) as server,
        connect_raw(server.address) as peer,
    ):
        peer.handshake().say_hello(demands=True, provides=False)
        assert peer.expect(FrameType.ACCEPT) == b""
        assert peer.refusal() == "attester.device"
    assert [record.getMessage() for record in caplog.records if "fire" in record.getMessage()] == [
        f"attested channel, server of {caplog.records[0].args[1]}: "  # type: ignore[index]  # the logger's own arguments
        "attester.device: /dev/sgx is on fire (OSError: smoke)"
    ]


def test_a_peer_that_asks_and_never_reads_is_refused(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "_MAX_UNREAD_BYTES", 256 * 1024)
    with (
        caplog.at_level(logging.WARNING, "eaa.transport"),
        Loopback(server_config()) as server,
        connect_raw(server.address) as peer,
    ):
        peer.handshake().say_hello(demands=False, provides=False)
        peer.expect(FrameType.ACCEPT)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.DATA, b"open")
        assert peer.expect(FrameType.DATA) == b"OPEN"
        transport = server.streams[0]._protocol._transport
        assert transport is not None
        for sock in (peer.sock, transport.get_extra_info("socket")):  # else the kernel holds much
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, buffer, 65536)
        hello = Hello(Terms(demands=False, provides=False), NONCE).encode()
        renewals = (hello + encode_frame(FrameType.ACCEPT)) * 1000
        with pytest.raises(ConnectionError):
            deque(map(peer.write, repeat(renewals, 1000)), 0)
    assert "remote_protocol.unread" in caplog.text


def test_a_denied_peer_learns_the_rule() -> None:
    policy = Policy(min_evaluation_data_number=2**31)
    with Loopback(server_config()) as server:
        with pytest.raises(AppraisalDenied):
            connect(server.address, client_config(verifier=FakeVerifier(policy=policy)))
        assert not server.streams


def test_a_foreign_vendor_is_refused() -> None:
    with Loopback(server_config(attester=FakeAttester("another vendor"))) as server:
        with pytest.raises(EAAError) as caught:
            connect(server.address, client_config())
        assert caught.value.code == "chain.untrusted_root"


def test_a_slow_reader_holds_the_writer_back() -> None:
    written = 0

    async def pour(stream: AttestedStream) -> None:
        nonlocal written
        for _ in range(1000):
            stream.write(b"x" * 65536)
            written += 65536
            await stream.drain()

    async def sip() -> None:
        stream = await open_attested_connection(server.address, client_config())
        await asyncio.sleep(0.5)
        held_at = written
        assert held_at < 32 * 1024 * 1024  # kernel buffers and ours
        total = 0
        while data := await stream.read(1024 * 1024):
            total += len(data)
        assert total == 1000 * 65536
        stream.close()

    with Loopback(server_config(), pour) as server:
        run(sip())


def test_a_connection_that_ends_before_there_is_anything_to_answer_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first certificate is still being made when the peer leaves: no deadline is waited out."""
    config = server_config(profile=Profile.RATLS_CERT, attester=SlowAttester(0.5), handshake_seconds=30)
    with caplog.at_level(logging.WARNING, "eaa.transport"), Loopback(config) as server:
        host, _, port = server.address.removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port))) as early:
            early.shutdown(socket.SHUT_WR)
            early.settimeout(5)
            assert early.recv(1) == b""
    assert "remote_protocol.truncated" in caplog.text


def test_a_writer_that_never_reads_sees_the_end() -> None:
    async def close_at_once(stream: AttestedStream) -> None:
        stream.close()

    async def write_for_ever(address: str) -> None:
        stream = await open_attested_connection(address, client_config())
        while True:
            stream.write(bytes(1024))
            await stream.drain()

    with Loopback(server_config(), close_at_once) as server, pytest.raises((EAAError, ConnectionError)):
        run(write_for_ever(server.address))


def test_a_refusal_that_nobody_waits_for_any_more_is_not_reported_as_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def give_up() -> None:
        future: Future[None] = Future()
        waiting = asyncio.create_task(shared(future))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        future.set_exception(AttesterError("nobody listens"))
        await asyncio.sleep(0.01)
        assert waiting.cancelled()

    run(give_up())
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
