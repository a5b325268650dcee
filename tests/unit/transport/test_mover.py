"""Ciphertext that is lent to TLS, and written past it to a socket, by either mover."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from eaa.errors import RemoteProtocolError
from eaa.transport import engine
from eaa.transport.engine import TlsEngine
from eaa.transport.mover import MAX_RECORDS_BYTES, DirectMover, PublicMover
from tests.fakes.engines import Pair, connected, read_all

DIRECT = DirectMover(vars(SSL)["_lib"], vars(SSL)["_ffi"])
DATA = random.Random(9).randbytes(2 * MAX_RECORDS_BYTES + 7)  # noqa: S311 - repeatable


@pytest.fixture(params=[PublicMover(), DIRECT], ids=["public", "direct"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(engine, "_MOVER", request.param)
    return connected()


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(engine, "_MOVER", DIRECT)
    return connected()


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends that hold little; neither blocks."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40_000)
    yield ends
    for end in ends:
        end.close()


def records(end: TlsEngine, data: bytes) -> bytes:
    end.write(data)
    return end.take()


def lend(end: TlsEngine, ciphertext: bytes) -> bytes:
    """What is read of ``ciphertext``, whose place is used for something else afterwards."""
    place, got = bytearray(ciphertext), bytearray()
    end.lend(memoryview(place), lambda: got.extend(read_all(end)))
    place[:] = bytes(len(place))
    return bytes(got)


def received(wire: socket.socket) -> bytes:
    found = bytearray()
    while True:
        try:
            found += wire.recv(1 << 20)
        except BlockingIOError:
            return bytes(found)


# What came.


@pytest.mark.parametrize("size", [1, 16_000, 40_000, len(DATA)])
def test_what_is_lent_is_read(pair: Pair, size: int) -> None:
    client, server = pair
    assert lend(server, records(client, DATA[:size])) == DATA[:size]


@pytest.mark.parametrize("step", [999, 16_384, 50_001, 300_000])
def test_what_is_lent_in_parts_is_read_as_a_whole(pair: Pair, step: int) -> None:
    client, server = pair
    came = records(client, DATA)
    got = b"".join(lend(server, came[start : start + step]) for start in range(0, len(came), step))
    assert got == DATA


def test_what_is_not_read_is_kept(pair: Pair) -> None:
    client, server = pair
    came = bytearray(records(client, DATA[:100_000]))
    server.lend(memoryview(came), lambda: None)
    came[:] = bytes(len(came))
    assert lend(server, records(client, DATA[100_000:])) == DATA


def test_what_is_left_when_reading_fails_is_kept(pair: Pair) -> None:
    client, server = pair
    came = bytearray(records(client, DATA[:100_000]))

    def fail() -> None:
        assert server.read_into(memoryview(bytearray(5))) == 5
        raise KeyError

    with pytest.raises(KeyError):
        server.lend(memoryview(came), fail)
    came[:] = bytes(len(came))
    assert read_all(server) == DATA[5:100_000]


def test_what_was_fed_before_comes_first(pair: Pair) -> None:
    client, server = pair
    server.feed(records(client, DATA[:20_000]))
    assert lend(server, records(client, DATA[20_000:])) == DATA


def test_the_end_is_seen_in_what_is_lent(pair: Pair) -> None:
    client, server = pair
    client.write(DATA[:50_000])
    client.close()
    assert lend(server, client.take()) == DATA[:50_000]
    assert server.peer_closed


def test_a_record_that_was_changed_is_refused_where_it_is_lent(pair: Pair) -> None:
    client, server = pair
    came = bytearray(records(client, DATA[:50_000]))
    came[20_000] ^= 1
    with pytest.raises(RemoteProtocolError):
        lend(server, bytes(came))


# What is sent.


def test_a_socket_that_takes_all_leaves_nothing(
    direct: Pair, wire: tuple[socket.socket, socket.socket]
) -> None:
    client, server = direct
    assert client.write_to(wire[0].fileno(), memoryview(DATA[:10_000])) is False
    assert client.take() == b""
    assert lend(server, received(wire[1])) == DATA[:10_000]


def test_what_the_socket_does_not_take_is_there_to_take(
    pair: Pair, wire: tuple[socket.socket, socket.socket]
) -> None:
    client, server = pair
    assert client.write_to(wire[0].fileno(), memoryview(DATA))
    assert lend(server, received(wire[1]) + client.take()) == DATA


def test_a_socket_that_is_full_again_and_again(
    direct: Pair, wire: tuple[socket.socket, socket.socket]
) -> None:
    client, server = direct
    came, past, step = bytearray(), 0, 30_000
    for start in range(0, len(DATA), step):
        waits = client.write_to(wire[0].fileno(), memoryview(DATA)[start : start + step])
        came += received(wire[1])
        if waits:
            came += client.take()
        else:
            past += 1
        # The other way goes on between memories.
        assert lend(client, records(server, b"answer" * 5_000)) == b"answer" * 5_000
    assert lend(server, bytes(came)) == DATA
    assert past


@pytest.mark.parametrize("before", ["take", "read", "no socket"])
def test_the_socket_is_left_alone_while_something_waits(
    pair: Pair, wire: tuple[socket.socket, socket.socket], before: str
) -> None:
    client, server = pair
    if before == "take":
        client.write(b"first ")
    elif before == "read":
        client.feed(records(server, b"unread"))
    where = -1 if before == "no socket" else wire[0].fileno()
    assert client.write_to(where, memoryview(b"then")) is True
    assert received(wire[1]) == b""
    assert lend(server, client.take()) == (b"first then" if before == "take" else b"then")
    assert read_all(client) == (b"unread" if before == "read" else b"")


def test_writing_while_what_came_is_lent(direct: Pair, wire: tuple[socket.socket, socket.socket]) -> None:
    client, server = direct
    place, got = bytearray(records(server, DATA[:60_000])), bytearray()

    def answer() -> None:
        got.extend(client.read())
        client.write_to(wire[0].fileno(), memoryview(b"an answer"))

    client.lend(memoryview(place), answer)
    place[:] = bytes(len(place))
    assert got == DATA[:60_000]
    assert lend(server, received(wire[1])) == b"an answer"
    assert lend(client, records(server, DATA[60_000:])) == DATA[60_000:]


def test_a_socket_that_has_failed_is_named_and_nobody_else_fails(
    direct: Pair, wire: tuple[socket.socket, socket.socket]
) -> None:
    client, other = direct[0], connected()
    wire[1].close()
    with pytest.raises(OSError, match="Broken pipe") as caught:
        client.write_to(wire[0].fileno(), memoryview(DATA))
    assert caught.value.errno == errno.EPIPE
    # OpenSSL keeps errors by thread.
    assert other[1].read() == b""
    assert lend(other[1], records(other[0], b"hello")) == b"hello"
    client.close()


class _Lib:
    """pyOpenSSL's, but for one function."""

    def __init__(self, name: str, result: object) -> None:
        self._name, self._result = name, result

    def __getattr__(self, name: str) -> object:
        found = getattr(vars(SSL)["_lib"], name)
        return (lambda *_: self._result) if name == self._name else found


@pytest.mark.parametrize("name", ["SSL_set_fd", "BIO_new"])
def test_without_memory_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, wire: tuple[socket.socket, socket.socket], name: str
) -> None:
    ffi = vars(SSL)["_ffi"]
    lib = _Lib(name, 0 if name == "SSL_set_fd" else ffi.NULL)
    monkeypatch.setattr(engine, "_MOVER", DirectMover(lib, ffi))
    client, server = connected()
    with pytest.raises(MemoryError):
        client.write_to(wire[0].fileno(), memoryview(b"too much"))
    assert received(wire[1]) == b""
    client.write(b"hello")
    server.feed(client.take())
    assert read_all(server) == b"hello"


def test_nothing_is_written_after_the_end(pair: Pair, wire: tuple[socket.socket, socket.socket]) -> None:
    client, _ = pair
    client.close()
    client.take()
    with pytest.raises(RemoteProtocolError, match="nothing can be sent"):
        client.write_to(wire[0].fileno(), memoryview(b"late"))
    assert received(wire[1]) == b""
    assert client.take() == b""
