"""What a client of our gRPC servers can hold: no place among the calls for longer than it takes to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from eaa.transport.grpc.agent_server import AgentLimits
from eaa.transport.grpc.client_api import METHODS
from eaa.transport.grpc.unary_server import UnaryServer
from eaa.transport.grpc.wire import clientapi_pb2 as wire

NAME = "clientapi.KeyManagerService/CreateKey"
SECONDS = 20
Client = Callable[[grpc.aio.Channel], Awaitable[None]]


def served(client: Client, *, calls: int = 2) -> None:
    """Run ``client`` against a server that answers ``NAME``, and takes 2 seconds for a request to come."""

    async def run() -> None:
        async def answer(request: wire.CreateKeyRequest, _: Any) -> wire.CreateKeyResponse:
            return wire.CreateKeyResponse(status=b"OK", uuid=request.keyid.encode())

        server = UnaryServer(
            METHODS, {NAME: answer}, AgentLimits(calls=calls), shared=False, request_seconds=2
        )
        port = server.bind("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await client(channel)
        finally:
            await server.stop(0)

    asyncio.run(asyncio.wait_for(run(), SECONDS))


async def asked(channel: grpc.aio.Channel, request: bytes) -> bytes:
    answer: bytes = await channel.unary_unary(f"/{NAME}")(request, timeout=SECONDS)
    return answer


async def status(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def never() -> AsyncIterator[bytes]:
    await asyncio.sleep(SECONDS)
    yield b""


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def test_calls_that_bring_no_request_end_and_give_their_places_back() -> None:
    async def client(channel: grpc.aio.Channel) -> None:
        held = [channel.stream_unary(f"/{NAME}")(never(), timeout=SECONDS) for _ in range(2)]
        await asyncio.sleep(0.1)
        refused, _ = await status(asked(channel, b""))
        assert refused is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in held:
            assert await status(call) == (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "expected the request within 2 seconds",
            )
        request = wire.CreateKeyRequest(keyid="mine").SerializeToString()
        assert wire.CreateKeyResponse.FromString(await asked(channel, request)).uuid == b"mine"

    served(client)


def test_a_call_that_ends_without_a_request() -> None:
    async def client(channel: grpc.aio.Channel) -> None:
        assert await status(channel.stream_unary(f"/{NAME}")(nothing(), timeout=SECONDS)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "expected one request, came none",
        )

    served(client)


def test_a_request_of_another_kind() -> None:
    async def client(channel: grpc.aio.Channel) -> None:
        assert await status(asked(channel, b"\xff")) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "expected a clientapi.CreateKeyRequest",
        )

    served(client)


def test_health_is_asked_for_and_not_watched() -> None:
    async def client(channel: grpc.aio.Channel) -> None:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="clientapi.KeyManagerService")
        answer = await stub.Check(request, timeout=SECONDS)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

        async def watch() -> None:
            async for _ in stub.Watch(request, timeout=SECONDS):
                raise AssertionError("it is watched")

        assert (await status(watch()))[0] is grpc.StatusCode.UNIMPLEMENTED

    served(client)
