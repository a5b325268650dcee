"""An unmodified ``httpx.AsyncClient`` over attested channels, to uvicorn and to servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from eaa.errors import BindingError, ConfigError, LocalProtocolError, RemoteProtocolError, UsageError
from eaa.tls.peer import Profile
from eaa.transport.config import ChannelConfig
from eaa.transport.httpx_async import AsyncAttestedTransport, attested_peer
from eaa.transport.streams import AttestedStream, start_attested_server
from tests.fakes.channel import FakeAttester, both_ends, client_config, server_config
from tests.interop.test_uvicorn_httpx import served

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


def client(config: ChannelConfig | None = None, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=AsyncAttestedTransport(config or client_config()), **options)


@asynccontextmanager
async def answering(
    answer: Callable[[AttestedStream], Awaitable[None]], address: str = "tcp://127.0.0.1:0"
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """The URL of a server that calls ``answer`` after each head of a request, and the heads."""
    heads: list[bytes] = []

    async def handle(stream: AttestedStream) -> None:
        head = b""
        while line := await stream.readline():
            head += line
            if line == b"\r\n":
                heads.append(head)
                head = b""
                await answer(stream)

    server = await start_attested_server(handle, address, server_config())
    try:
        yield server.address.replace("tcp", "https"), heads
    finally:
        server.close()
        await server.drain(0.1)


async def answer_whole(stream: AttestedStream) -> None:
    stream.write(ANSWER)
    await stream.drain()


@pytest.mark.parametrize("profile", Profile)
def test_requests_and_answers(profile: Profile) -> None:
    async def scenario(url: str) -> None:
        async with client(client_config(profile), base_url=url) as http:
            response = await http.get("/who", headers={"x-attestation": "proven"})
            assert response.json() == {
                "proven": False, "mr_enclave": None, "scheme": "https", "header": "proven",
            }  # fmt: skip
            assert attested_peer(response).proven
            body = bytes(range(256)) * 8192
            assert (await http.post("/echo", content=body)).content == body
            assert len((await http.get("/pour")).content) == 64 * 65536

    with served(server_config(profile)) as url:
        asyncio.run(scenario(url))


def test_the_application_sees_the_verified_client() -> None:
    async def scenario(url: str) -> None:
        async with client(both_ends(), base_url=url) as http:
            response = await http.get("/who")
            assert response.json()["proven"]
            assert response.json()["mr_enclave"] == attested_peer(response).claims()["mr_enclave"]

    with served(both_ends()) as url:
        asyncio.run(scenario(url))


def test_connections_are_reused_and_attested_once_each() -> None:
    async def scenario(url: str) -> tuple[int, int]:
        async with client(base_url=url) as http:
            for _ in range(5):
                (await http.get("/who")).raise_for_status()
            one_by_one = len(attester.collected)
            for _ in range(3):
                answers = await asyncio.gather(*(http.get("/who") for _ in range(4)))
                assert all(attested_peer(answer).proven for answer in answers)
            return one_by_one, len(attester.collected)

    attester = FakeAttester()
    with served(server_config(attester=attester)) as url:
        one_by_one, at_once = asyncio.run(scenario(url))
    assert one_by_one == 1
    assert 1 < at_once <= 4


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    async def once(stream: AttestedStream) -> None:
        await answer_whole(stream)
        stream.close()

    async def scenario() -> int:
        transport = AsyncAttestedTransport(client_config())
        async with answering(once) as (url, heads), httpx.AsyncClient(transport=transport) as http:
            for _ in range(3):
                assert (await http.get(url)).text == "hello"
                async with asyncio.timeout(10):
                    while not all(idle.has_expired() for idle in transport._pool.connections):
                        await asyncio.sleep(0.001)
            return len(heads)

    assert asyncio.run(scenario()) == 3


def test_a_body_comes_as_it_is_sent() -> None:
    async def halves(stream: AttestedStream) -> None:
        stream.write(ANSWER[:-2])
        await read.wait()
        stream.write(ANSWER[-2:])

    async def scenario() -> list[bytes]:
        async with answering(halves) as (url, _), client() as http, http.stream("GET", url) as response:
            parts = []
            async for part in response.aiter_raw():
                parts.append(part)
                read.set()
            return parts

    read = asyncio.Event()
    assert asyncio.run(scenario()) == [b"hel", b"lo"]


def test_no_request_reaches_a_server_that_is_refused() -> None:
    class Stale(FakeAttester):
        def collect(self, report_data: bytes) -> Any:
            return super().collect(bytes(64))

    async def scenario() -> None:
        heads: list[bytes] = []

        async def handle(stream: AttestedStream) -> None:
            heads.append(await stream.readline())

        server = await start_attested_server(handle, "tcp://127.0.0.1:0", server_config(attester=Stale()))
        async with client() as http:
            with pytest.raises(BindingError):
                await http.get(server.address.replace("tcp", "https"))
        server.close()
        await server.drain(1)
        assert heads == []

    asyncio.run(scenario())


def test_a_channel_that_fails_under_way_is_no_end_of_the_answer() -> None:
    async def broken(stream: AttestedStream) -> None:
        stream.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf"
        )  # the end would be that of the channel
        await stream.drain()
        stream.abort(LocalProtocolError("no more", detail="test"))

    async def scenario() -> None:
        async with answering(broken) as (url, _), client() as http:
            with pytest.raises(RemoteProtocolError, match=r"local_protocol\.test"):
                await http.get(url)

    asyncio.run(scenario())


def test_over_a_unix_socket(tmp_path: Path) -> None:
    async def scenario() -> str:
        path = tmp_path / "socket"
        async with answering(answer_whole, f"unix://{path}"):
            transport = AsyncAttestedTransport(client_config(), uds=str(path))
            async with httpx.AsyncClient(transport=transport) as http:
                return (await http.get("https://anybody/")).text

    assert asyncio.run(scenario()) == "hello"


def test_a_plain_http_url_sends_nothing() -> None:
    async def scenario() -> None:
        async with client() as http:
            with pytest.raises(UsageError):
                await http.get("http://127.0.0.1:1/")

    asyncio.run(scenario())


def test_nobody_there_is_an_error_of_httpx() -> None:
    async def scenario() -> None:
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(f"https://127.0.0.1:{port}/")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    asyncio.run(scenario())


def test_who_does_not_shake_hands_is_a_timeout_of_httpx() -> None:
    async def scenario(port: int) -> None:
        async with client(timeout=0.2) as http:
            with pytest.raises(httpx.ConnectTimeout):
                await http.get(f"https://127.0.0.1:{port}/")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(scenario(listener.getsockname()[1]))


def test_a_slow_answer_is_a_timeout_of_httpx() -> None:
    async def never(_stream: AttestedStream) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with answering(never) as (url, _), client(timeout=httpx.Timeout(10, read=0.2)) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(url)

    asyncio.run(scenario())


def test_a_server_that_takes_nothing_is_a_timeout_of_httpx() -> None:
    async def never(_stream: AttestedStream) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with answering(never) as (url, _), client(timeout=httpx.Timeout(10, write=0.2)) as http:
            with pytest.raises(httpx.WriteTimeout):
                await http.post(url, content=bytes(64 * 1024 * 1024))

    asyncio.run(scenario())


def test_whoever_gives_up_leaves_no_connection() -> None:
    async def scenario() -> None:
        async with client() as http:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                asking = asyncio.create_task(http.get(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
                listener.settimeout(10)
                accepted, _ = await asyncio.to_thread(listener.accept)
                with accepted:
                    accepted.settimeout(10)
                    assert await asyncio.to_thread(accepted.recv, 1)  # a ClientHello
                    asking.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await asking
                    while await asyncio.to_thread(accepted.recv, 65536):
                        pass  # until its end

    asyncio.run(scenario())


def test_a_configuration_without_verifier() -> None:
    with pytest.raises(ConfigError):
        AsyncAttestedTransport(server_config())


def test_one_address_may_not_have_all_places_of_the_server() -> None:
    async def scenario(url: str) -> None:
        port = int(url.rpartition(":")[2])
        silent = [
            await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)) for _ in range(2)
        ]
        async with asyncio.timeout(10):
            assert await silent[1][0].read(1) == b""
        async with client() as http:
            assert (await http.get(f"{url}/who")).status_code == 200
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()

    with served(server_config(max_half_open=4)) as url:
        asyncio.run(scenario(url))
