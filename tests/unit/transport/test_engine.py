"""TLS between two memories, moved by either mover."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
from OpenSSL import SSL

from eaa.errors import RemoteProtocolError
from eaa.transport import engine
from eaa.transport.mover import MAX_RECORDS_BYTES, DirectMover, PublicMover, make_mover
from tests.fakes.engines import Pair, connected, read_all

LIB, FFI = vars(SSL)["_lib"], vars(SSL)["_ffi"]


@pytest.fixture(params=[PublicMover(), DirectMover(LIB, FFI)], ids=["public", "direct"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(engine, "_MOVER", request.param)
    return connected()


@pytest.mark.parametrize("size", [1, 16384, 16385, MAX_RECORDS_BYTES, 3 * MAX_RECORDS_BYTES + 7])
def test_bytes_come_as_they_were_sent(pair: Pair, size: int) -> None:
    client, server = pair
    sent = bytes(i % 251 for i in range(size))
    client.write(memoryview(sent))
    server.feed(client.take_buffer())
    assert read_all(server) == sent
    assert client.take() == b""
    assert not server.peer_closed


def test_a_record_that_came_in_parts(pair: Pair) -> None:
    client, server = pair
    client.write(b"x" * 20_000)
    came, got = client.take(), b""
    for start in range(0, len(came), 1000):
        server.feed(came[start : start + 1000])
        got += read_all(server)
    assert got == b"x" * 20_000


def test_bytes_are_put_behind_what_is_free(pair: Pair) -> None:
    client, server = pair
    client.write(b"hello")
    server.feed(client.take())
    buffer = server.room(5)
    buffer = buffer[: 5 + server.read_into(buffer[5:])]
    assert bytes(buffer[5:]) == b"hello"
    buffer[:5] = b"12345"
    assert bytes(buffer) == b"12345hello"


def test_the_last_bytes_and_the_end_at_once(pair: Pair) -> None:
    client, server = pair
    client.write(b"last")
    client.close()
    server.feed(client.take())
    assert read_all(server) == b"last"
    assert server.peer_closed
    assert server.read() == b""
    assert server.peer_closed


def test_a_record_that_was_changed_is_refused(pair: Pair) -> None:
    client, server = pair
    client.write(b"hello")
    came = bytearray(client.take())
    came[-1] ^= 1
    server.feed(bytes(came))
    with pytest.raises(RemoteProtocolError) as caught:
        server.read()
    assert caught.value.code == "remote_protocol.tls"
    assert "a record was refused" in str(caught.value)


def test_a_refusal_holds_no_buffer_that_the_garbage_collector_may_not_break(pair: Pair) -> None:
    client, server = pair
    client.write(b"hello")
    server.feed(bytes(reversed(client.take())))
    try:
        server.read()
    except RemoteProtocolError as error:
        cycle: list[object] = [error]
        cycle.append(cycle)
        del cycle
    gc.collect()  # breaks up what the frames of the error hold, in any order: it crashed


def test_a_buffer_that_was_taken_is_not_written_to_again(pair: Pair) -> None:
    client, server = pair
    client.write(b"first")
    first = client.take_buffer()
    before = bytes(first)
    client.write(b"other")
    server.feed(before + client.take())
    assert bytes(first) == before
    assert read_all(server) == b"firstother"


def test_openssl_is_used_directly_if_it_is_shown() -> None:
    assert isinstance(make_mover(LIB, FFI), DirectMover)
    assert isinstance(engine._MOVER, DirectMover)


@pytest.mark.parametrize(
    ("lib", "ffi"), [(None, None), (SimpleNamespace(SSL_read=LIB.SSL_read), FFI), (LIB, SimpleNamespace())]
)
def test_the_public_interface_is_used_without_it(lib: object, ffi: object) -> None:
    assert isinstance(make_mover(lib, ffi), PublicMover)


def test_the_public_interface_is_used_if_a_connection_is_made_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(SSL.Connection, "_raise_ssl_error")
    assert isinstance(make_mover(LIB, FFI), PublicMover)
