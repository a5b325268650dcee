"""The drivers by themselves: sockets in threads, Unix sockets, half-closing, orderly ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.errors import ConfigError, EAAError, RemoteProtocolError, UsageError
from eaa.tls.peer import Profile, Role
from eaa.transport.blocking import AttestedSocket, connect, wrap_server
from eaa.transport.config import ChannelConfig, utc_now
from eaa.transport.identity import plain_certificate
from eaa.transport.streams import AttestedStream, open_attested_connection, start_attested_server
from tests.fakes.channel import both_ends, client_config, server_config
from tests.fakes.loopback import Loopback, run
from tests.fakes.raw_peer import raw_server


@contextmanager
def blocking_server(config: ChannelConfig, step: Callable[[AttestedSocket], object]) -> Iterator[str]:
    """The address of a server that accepts one connection, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        with suppress(EAAError, OSError), wrap_server(sock, config) as channel:
            step(channel)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()


def answer(channel: AttestedSocket) -> None:
    while data := channel.recv():
        channel.send(data.upper())
    channel.finish()


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("mutual", [False, True])
def test_two_blocking_ends(profile: Profile, mutual: bool) -> None:
    server, client = server_config(profile), client_config(profile)
    if mutual:
        server = client = both_ends(profile)
    proven: list[bool] = []

    def serve(channel: AttestedSocket) -> None:
        proven.append(channel.peer.proven)
        answer(channel)

    with blocking_server(server, serve) as address, connect(address, client) as channel:
        channel.send(b"a" * 300_000)
        channel.finish()
        assert b"".join(iter(lambda: channel.recv(10_000), b"")) == b"A" * 300_000
        assert channel.recv() == b""
        assert channel.peer.role is Role.SERVER
    assert proven == [mutual]


def test_small_reads_and_timeouts() -> None:
    with blocking_server(server_config(), answer) as address, connect(address, client_config()) as channel:
        channel.settimeout(0.05)
        assert not channel.readable()
        with pytest.raises(TimeoutError):
            channel.recv()
        channel.settimeout(10)
        channel.send(b"abc")
        assert [channel.recv(2), channel.recv(2)] == [b"AB", b"C"]


def test_closed_is_closed() -> None:
    with blocking_server(server_config(), answer) as address:
        channel = connect(address, client_config())
        channel.close()
        channel.close()
        assert channel.readable()
        assert channel.recv() == b""
        with pytest.raises((EAAError, OSError)):
            channel.send(b"x")


def test_unix_sockets(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/eaa.sock"

    async def serve(stream: AttestedStream) -> None:
        stream.write(await stream.readexactly(5))
        await stream.drain()

    async def converse() -> None:
        server = await start_attested_server(serve, address, server_config())
        assert server.address == address
        stream = await open_attested_connection(address, client_config())
        stream.write(b"hello")
        assert await stream.readline() == b"hello"
        stream.close()
        server.close()
        await server.drain(1)

    run(converse())
    with pytest.raises(OSError, match="refused"):
        connect(address, client_config())


def test_what_fails_before_anything_is_connected() -> None:
    with pytest.raises(UsageError):
        connect("127.0.0.1:1", client_config())
    with pytest.raises(ConfigError):
        connect("tcp://127.0.0.1:1", server_config())
    with pytest.raises(ConfigError):
        run(open_attested_connection("tcp://127.0.0.1:1", server_config()))
    with socket.socket() as sock, pytest.raises(ConfigError):
        wrap_server(sock, client_config())


def test_a_refused_client_is_told_the_code() -> None:
    with blocking_server(both_ends(handshake_seconds=5), answer) as address:
        with pytest.raises(EAAError) as caught:
            connect(address, client_config())
        assert caught.value.code.startswith("remote_protocol")


@pytest.mark.parametrize("hours", [(-2, -1), (1, 2)])
def test_a_certificate_out_of_its_period_is_refused(hours: tuple[int, int]) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), utc_now().replace(microsecond=0)
    before, after = (now + timedelta(hours=hour) for hour in hours)
    certificate = plain_certificate(key, not_before=before, not_after=after)
    with raw_server(lambda peer: peer.read(), key=key, certificate=certificate) as address:
        with pytest.raises(RemoteProtocolError) as caught:
            connect(address, client_config())
        assert caught.value.code == "remote_protocol.tls"
        assert "certificate verify failed" in str(caught.value)


def test_a_handler_that_fails_is_an_internal_error_to_the_peer() -> None:
    async def broken(stream: AttestedStream) -> None:
        raise ZeroDivisionError

    with Loopback(server_config(), broken) as server, connect(server.address, client_config()) as channel:
        with pytest.raises(RemoteProtocolError) as caught:
            channel.recv()
        assert caught.value.fields["peer_code"] == "internal.channel"
