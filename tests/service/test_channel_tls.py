"""TLS under the channel: what neither end ever does, each refused where only that is tried."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.errors import EAAError, RemoteProtocolError, UnsupportedError
from eaa.tls.attached import encode_attached
from eaa.tls.frames import FrameType
from eaa.tls.peer import Profile
from eaa.transport.blocking import connect
from tests.fakes.channel import FakeAttester, both_ends, client_config, server_config
from tests.fakes.loopback import Loopback
from tests.fakes.raw_peer import certificate_of, connect_raw, own_certificate, raw_server


def stdlib_client(address: str, context: ssl.SSLContext, **options: Any) -> ssl.SSLSocket:
    port = int(address.rpartition(":")[2])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), **options)


def trusting(alpn: str | None = "eaa-attested/1") -> ssl.SSLContext:
    """What a client without any check is configured with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def test_tls_12_is_refused() -> None:
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Loopback(server_config()) as server, pytest.raises(ssl.SSLError):
        stdlib_client(server.address, context)


def test_a_session_is_never_resumed() -> None:
    context = trusting(alpn=None)
    with Loopback(server_config(Profile.RATLS_CERT)) as server:
        with stdlib_client(server.address, context) as first:
            first.sendall(b"x")
            assert first.recv(1) == b"X"
            session = first.session
            assert session is not None
        with stdlib_client(server.address, context, session=session) as second:
            second.sendall(b"x")
            assert second.recv(1) == b"X"
            assert not second.session_reused


def test_a_mutual_server_refuses_a_client_without_certificate() -> None:
    with Loopback(both_ends()) as server, connect_raw(server.address) as peer:
        with pytest.raises(RemoteProtocolError) as caught:  # the client's handshake ends before the server's
            peer.handshake().read()
        assert caught.value.code == "remote_protocol.tls"
        assert "certificate required" in str(caught.value)
        assert "asks for evidence of this end too, see mutual" in str(caught.value)
        assert not server.streams


@pytest.mark.parametrize("profile", Profile)
def test_the_other_profile_is_refused(profile: Profile) -> None:
    other = next(item for item in Profile if item is not profile)
    with Loopback(server_config(profile)) as server:
        with pytest.raises(EAAError):
            connect(server.address, client_config(other))
        assert not server.streams


def ask(address: str, context: ssl.SSLContext) -> bytes:
    """The first byte of an answer to a request that skips the gate."""
    with stdlib_client(address, context) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if first := client.recv(1):
            return first
        raise ConnectionError


@pytest.mark.parametrize("alpn", [None, "http/1.1"])
def test_a_client_that_does_not_name_the_gate_gets_nothing(alpn: str | None) -> None:
    context = trusting(alpn)
    with Loopback(server_config()) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(server.address, context)
        assert not server.streams


def test_a_client_that_skips_the_gate_gets_nothing() -> None:
    with Loopback(server_config()) as server, stdlib_client(server.address, trusting()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(4096), b""))
        # The server's HELLO, and why it went.
        assert got[:1] == b"\x01"
        assert got[39:] == b"\x07\x00\x00\x00\x1a" + b"remote_protocol.frame_type"
        assert not server.received


def test_early_data_is_refused() -> None:
    with Loopback(server_config()) as server, connect_raw(server.address) as peer:
        peer.handshake().say_hello(demands=True, provides=False)
        peer.frame(FrameType.DATA, b"GET / HTTP/1.1\r\n\r\n")
        assert peer.refusal() == "remote_protocol.early_data"
        assert not server.received


def test_garbage_before_the_handshake_is_refused() -> None:
    with Loopback(server_config()) as server:
        with pytest.raises(ConnectionError):
            pour_garbage(server.address)
        connect(server.address, client_config()).close()


def pour_garbage(address: str) -> None:
    """Ten megabytes, or until the server hangs up."""
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 10) as sock:
        for _ in range(160):
            sock.sendall(b"\xa5" * 65536)


def test_a_client_refuses_another_kind_of_key() -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    with raw_server(lambda peer: peer.read(), key=key, certificate=certificate_of(key)) as address:
        with pytest.raises(UnsupportedError) as caught:
            connect(address, client_config())
        assert caught.value.code == "unsupported.key_type"


@pytest.mark.parametrize("profile", Profile)
def test_a_truncated_stream_is_an_error(profile: Profile) -> None:
    with (
        Loopback(server_config(profile)) as server,
        connect(server.address, client_config(profile)) as channel,
    ):
        server.call(_abort(server))
        with pytest.raises(RemoteProtocolError) as caught:
            channel.recv()
        assert caught.value.code == "remote_protocol.truncated"


async def _abort(server: Loopback) -> None:
    while not server.streams:
        await asyncio.sleep(0.01)
    transport = server.streams[0]._protocol._transport
    assert transport is not None
    transport.abort()


def test_an_orderly_end_is_none() -> None:
    def step(peer: Any) -> None:
        peer.say_hello(demands=False, provides=True)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.EVIDENCE, encode_attached(FakeAttester().collect(peer.report_data())))
        peer.expect(FrameType.ACCEPT)
        peer.frame(FrameType.DATA, b"last words")
        peer.engine.close()
        peer._flush()

    with raw_server(step, **own_certificate()) as address, connect(address, client_config()) as channel:
        assert channel.recv() == b"last words"
        assert channel.recv() == b""


def test_an_end_inside_a_frame_is_an_error() -> None:
    def step(peer: Any) -> None:
        peer.say_hello(demands=False, provides=True)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.EVIDENCE, encode_attached(FakeAttester().collect(peer.report_data())))
        peer.expect(FrameType.ACCEPT)
        peer.write(b"\x04\x00\x00\x00\x09half")
        peer.engine.close()
        peer._flush()

    with raw_server(step, **own_certificate()) as address, connect(address, client_config()) as channel:
        assert channel.recv() == b"half"
        with pytest.raises(RemoteProtocolError) as caught:
            channel.recv()
        assert caught.value.code == "remote_protocol.truncated"
