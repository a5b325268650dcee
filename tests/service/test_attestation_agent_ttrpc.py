"""ttrpc in both directions: our server under bytes of any kind, and our client with a server of bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from eaa.errors import AccessDenied, LocalProtocolError, RemoteProtocolError, outcome_of
from eaa.services.listening import bind
from eaa.transport.grpc.agent_api import Handler
from eaa.transport.grpc.wire import confidential_data_pb2 as cdh
from eaa.transport.ttrpc.client import TtrpcClient, TtrpcFailure
from eaa.transport.ttrpc.server import TtrpcLimits, TtrpcServer
from tests.fakes.agent_clients import TtrpcAgent, message, raw_call

GET = "api.GetResourceService/GetResource"
T = TypeVar("T")
REQUEST, RESPONSE, DATA = 1, 2, 3


async def echo(request: Any) -> Message:
    """Its path; those with a meaning do what they say."""
    match request.ResourcePath:
        case "refuse":
            raise AccessDenied("not for you", detail="test")
        case "sleep":
            await asyncio.sleep(60)
        case "slow":
            await asyncio.sleep(0.3)
        case "large":
            return cdh.GetResourceResponse(Resource=bytes(5 << 20))
    return cdh.GetResourceResponse(Resource=request.ResourcePath.encode())


@contextmanager
def server(path: Path, handler: Handler = echo, **limits: Any) -> Iterator[str]:
    """Our server, in a thread, until the end of the block."""
    loop = asyncio.new_event_loop()
    listening = bind(f"unix://{path}")
    made = TtrpcServer(listening, {GET: handler}, outcome_of, limits=TtrpcLimits(**limits))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(made.start(), loop).result(10)
    try:
        yield str(path)
    finally:
        asyncio.run_coroutine_threadsafe(made.stop(0.2), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        listening.close()


@contextmanager
def connect_after(tmp_path: Path, handler: Handler) -> Iterator[socket.socket]:
    """A connection that is open until its server has ended."""
    with contextlib.ExitStack() as outer, server(tmp_path / "ttrpc.sock", handler) as where:
        yield outer.enter_context(connect(where))


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    with server(tmp_path / "ttrpc.sock") as where:
        yield where


def request(text: str, **fields: Any) -> bytes:
    payload = message("api.GetResourceRequest", ResourcePath=text).SerializeToString()
    values = {"service": "api.GetResourceService", "method": "GetResource", "payload": payload} | fields
    encoded: bytes = message("ttrpc.Request", **values).SerializeToString()
    return encoded


def connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(path)
    return connection


def status(data: bytes) -> tuple[int, str]:
    response = message("ttrpc.Response")
    response.ParseFromString(data)
    return response.status.code, response.status.message


# ── our server ──


def test_a_client_that_does_not_read_holds_up_no_end(tmp_path: Path) -> None:
    """What it does not take fills its connection, and would be waited for."""

    async def much(_: Any) -> Message:
        return cdh.GetResourceResponse(Resource=bytes(3 << 20))

    with connect_after(tmp_path, much) as connection:
        data = request("much")
        for stream in (1, 3, 5):
            connection.sendall(struct.pack(">IIBB", len(data), stream, REQUEST, 0) + data)
        assert connection.recv(1, socket.MSG_PEEK)  # it is being sent
        # Ends the server, which has ten seconds.


def test_a_client_that_ends_without_reading_is_let_go(tmp_path: Path) -> None:
    async def much(_: Any) -> Message:
        return cdh.GetResourceResponse(Resource=bytes(3 << 20))

    with server(tmp_path / "ttrpc.sock", much, connections=1) as where, connect(where) as connection:
        data = request("much")
        connection.sendall(struct.pack(">IIBB", len(data), 1, REQUEST, 0) + data)
        assert connection.recv(1, socket.MSG_PEEK)
        connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                assert TtrpcAgent(where).call(GET, ResourcePath="x").Resource == bytes(3 << 20)
                return
            except (OSError, AssertionError, EOFError):
                time.sleep(0.05)
        raise AssertionError("its place is never free")


def test_a_call(path: str) -> None:
    assert TtrpcAgent(path).call(GET, ResourcePath="hello").Resource == b"hello"


def test_calls_on_one_connection_are_answered_as_they_are_done(path: str) -> None:
    with connect(path) as connection:
        slow = request("slow")
        connection.sendall(struct.pack(">IIBB", len(slow), 1, REQUEST, 0) + slow)
        stream, _, _, data = raw_call(connection, 3, REQUEST, 0, request("fast"))
        assert (stream, b"fast" in data) == (3, True)
        header = connection.recv(10, socket.MSG_WAITALL)
        length, stream, kind, flags = struct.unpack(">IIBB", header)
        assert (stream, kind, flags) == (1, RESPONSE, 0)
        assert b"slow" in connection.recv(length, socket.MSG_WAITALL)


@pytest.mark.parametrize(
    ("stream", "kind", "flags", "data", "code"),
    [
        pytest.param(2, REQUEST, 0, request("x"), 3, id="even stream"),
        pytest.param(1, DATA, 1, b"", 3, id="data without a stream"),
        pytest.param(1, REQUEST, 1, request("x"), 12, id="remote closed: not unary"),
        pytest.param(1, REQUEST, 2, request("x"), 12, id="remote open: not unary"),
        pytest.param(1, REQUEST, 0, b"\xff", 3, id="no envelope"),
        pytest.param(1, REQUEST, 0, request("x", payload=b"\xff"), 3, id="no request"),
        pytest.param(1, REQUEST, 0, request("x", method="Nosuch"), 12, id="no method"),
        pytest.param(1, REQUEST, 0, request("x", service=""), 12, id="no service"),
        pytest.param(1, REQUEST, 0, request("refuse"), 7, id="refused"),
        pytest.param(1, REQUEST, 0, request("sleep", timeout_nano=10**7), 4, id="client's deadline"),
        pytest.param(1, REQUEST, 0, request("large"), 8, id="answer too large"),
    ],
)
def test_each_failure_has_its_status_and_the_connection_goes_on(
    path: str, stream: int, kind: int, flags: int, data: bytes, code: int
) -> None:
    with connect(path) as connection:
        answered = raw_call(connection, stream, kind, flags, data)
        assert answered[:3] == (stream, RESPONSE, 0)
        assert status(answered[3])[0] == code
        assert b"next" in raw_call(connection, 5, REQUEST, 0, request("next"))[3]


def test_a_stream_id_is_not_used_again(path: str) -> None:
    with connect(path) as connection:
        assert status(raw_call(connection, 5, REQUEST, 0, request("x"))[3])[0] == 0
        for stream in (5, 3):
            assert status(raw_call(connection, stream, REQUEST, 0, request("x"))[3])[0] == 3
        assert status(raw_call(connection, 7, REQUEST, 0, request("x"))[3])[0] == 0


def test_a_type_to_come_is_passed_over(path: str) -> None:
    with connect(path) as connection:
        connection.sendall(struct.pack(">IIBB", 3, 1, 9, 0) + b"abc")
        assert raw_call(connection, 1, REQUEST, 0, request("x"))[0] == 1


def test_a_message_that_is_too_large_ends_the_connection(path: str) -> None:
    with connect(path) as connection:
        connection.sendall(struct.pack(">IIBB", (4 << 20) + 1, 1, REQUEST, 0))
        header = connection.recv(10, socket.MSG_WAITALL)
        length, stream, _, _ = struct.unpack(">IIBB", header)
        assert (stream, status(connection.recv(length, socket.MSG_WAITALL))[0]) == (1, 8)
        assert connection.recv(1) == b""
    assert TtrpcAgent(path).call(GET, ResourcePath="x").Resource == b"x"


@pytest.mark.parametrize("timeout_nano", [0, -1, 10**15])
def test_the_server_has_a_deadline_of_its_own(tmp_path: Path, timeout_nano: int) -> None:
    with server(tmp_path / "s", deadline_seconds=0.1) as path, connect(path) as connection:
        answered = raw_call(connection, 1, REQUEST, 0, request("sleep", timeout_nano=timeout_nano))
    assert status(answered[3])[0] == 4


def test_calls_and_connections_are_bounded(tmp_path: Path) -> None:
    with server(tmp_path / "s", calls=2, connections=1) as path, connect(path) as connection:
        sleep = request("sleep")
        for stream in (1, 3):
            connection.sendall(struct.pack(">IIBB", len(sleep), stream, REQUEST, 0) + sleep)
        assert status(raw_call(connection, 5, REQUEST, 0, request("x"))[3])[0] == 8
        with connect(path) as second:
            assert second.recv(1) == b""


def test_a_client_that_goes_away_ends_its_calls(tmp_path: Path) -> None:
    ended = threading.Event()

    async def wait(_: Any) -> Message:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    with server(tmp_path / "s", wait) as path:
        data = request("x")
        with connect(path) as connection:
            connection.sendall(struct.pack(">IIBB", len(data), 1, REQUEST, 0) + data)
            time.sleep(0.1)
        assert ended.wait(10)


# ── our client ──


def with_client(path: str, use: Callable[[TtrpcClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with await TtrpcClient.connect(f"unix://{path}") as client:
            return await use(client)

    return asyncio.run(run())


async def ask(client: TtrpcClient, text: str, seconds: float = 20) -> Any:
    return await client.call(
        GET, cdh.GetResourceRequest(ResourcePath=text), cdh.GetResourceResponse, timeout_seconds=seconds
    )


def test_client_and_server(path: str) -> None:
    async def use(client: TtrpcClient) -> Any:
        return await asyncio.gather(*(ask(client, text) for text in ("slow", "a", "b", "refuse")))

    *answers, failure = with_client(path, use)
    assert [answer.Resource for answer in answers] == [b"slow", b"a", b"b"]
    assert failure == TtrpcFailure("PERMISSION_DENIED", "not for you")


def test_the_server_is_told_how_long_the_client_waits(path: str) -> None:
    async def use(client: TtrpcClient) -> Any:
        return await ask(client, "sleep", 0.1), await ask(client, "x")

    failed, answer = with_client(path, use)
    assert failed.status == "DEADLINE_EXCEEDED"
    assert answer.Resource == b"x"


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(RemoteProtocolError) as caught:
            with_client(str(tmp_path / "s"), lambda client: ask(client, "x", 0.1))
    assert caught.value.code == "remote_protocol.timeout"


def test_a_request_that_is_too_large_is_not_sent(path: str) -> None:
    with pytest.raises(LocalProtocolError):
        with_client(path, lambda client: ask(client, "x" * (4 << 20)))


@contextmanager
def peer(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """A server of bytes: takes one request, sends ``answer``, and ends. What it took is in the list."""
    seen: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as connection:
                connection.settimeout(10)
                header = connection.recv(10, socket.MSG_WAITALL)
                seen.extend((header, connection.recv(struct.unpack(">I", header[:4])[0], socket.MSG_WAITALL)))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield seen
        thread.join(10)


def response(stream: int, data: bytes, kind: int = RESPONSE) -> bytes:
    return struct.pack(">IIBB", len(data), stream, kind, 0) + data


def test_what_the_client_sends(tmp_path: Path) -> None:
    payload = message("api.GetResourceResponse", Resource=b"r").SerializeToString()
    encoded = message("ttrpc.Response", payload=payload).SerializeToString()
    # A response of a stream that nobody waits for, and a type to come, are passed over.
    noise = response(9, encoded) + response(1, b"x", 7)
    with peer(tmp_path / "s", noise + response(1, encoded)) as seen:
        answer = with_client(str(tmp_path / "s"), lambda client: ask(client, "a/b/c"))
    assert answer.Resource == b"r"
    assert struct.unpack(">IIBB", seen[0])[1:] == (1, REQUEST, 0)
    sent = message("ttrpc.Request")
    sent.ParseFromString(seen[1])
    assert (sent.service, sent.method) == ("api.GetResourceService", "GetResource")
    assert sent.timeout_nano == 20 * 10**9


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(response(1, b"")[:7], "truncated", id="half a header"),
        pytest.param(response(1, b"\xff"), "response", id="no envelope"),
        pytest.param(response(1, b"\x12\x01\xff"), "response", id="no answer of its type"),
        pytest.param(struct.pack(">IIBB", (4 << 20) + 1, 1, 2, 0), "too_large", id="too large"),
    ],
)
def test_a_server_that_answers_otherwise(tmp_path: Path, answer: bytes, code: str) -> None:
    with peer(tmp_path / "s", answer), pytest.raises(RemoteProtocolError) as caught:
        with_client(str(tmp_path / "s"), lambda client: ask(client, "x"))
    assert caught.value.code == f"remote_protocol.{code}"


def test_what_is_asked_after_the_end(tmp_path: Path) -> None:
    async def use(client: TtrpcClient) -> None:
        for _ in range(2):
            with pytest.raises(RemoteProtocolError, match="ended"):
                await ask(client, "x")

    with peer(tmp_path / "s", b""):
        with_client(str(tmp_path / "s"), use)


@pytest.mark.parametrize("steps", range(8))
def test_who_is_let_in_while_the_server_stops_is_not_left_behind(tmp_path: Path, steps: int) -> None:
    async def run() -> set[asyncio.Task[Any]]:
        with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
            listening.bind(str(tmp_path / "s"))
            listening.listen()
            listening.setblocking(False)
            made = TtrpcServer(listening, {GET: echo}, outcome_of, limits=TtrpcLimits())
            await made.start()
            client.connect(str(tmp_path / "s"))
            for _ in range(steps):
                await asyncio.sleep(0)
            await made.stop(0)
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert not asyncio.run(run())
