"""What our gRPC servers share: unary methods of a table, health checks, bounds, errors as statuses.

A call has a place from its headers on, and there are not many. So each has to bring its request in time, and
``grpc.health.v1`` has ``Check`` alone: a ``Watch`` would hold its place for as long as its client likes.
``UNIMPLEMENTED`` tells clients that a server has none (``health.proto``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2

from eaa.errors import EAAError, Outcome, UsageError
from eaa.transport.grpc.client_api import CODE_METADATA, Method, split_method

__all__ = ["Answer", "Bounds", "UnaryServer", "abort"]

_MAX_DETAIL = 1024
_HEALTH = "grpc.health.v1.Health/Check"

#: Answers a request, given the call's context.
Answer = Callable[[Any, Any], Awaitable[Message]]


class Bounds(Protocol):
    """Bytes of one request and of its metadata; more calls than ``calls`` at once are refused."""

    @property
    def message_bytes(self) -> int: ...

    @property
    def metadata_bytes(self) -> int: ...

    @property
    def calls(self) -> int: ...


class UnaryServer:
    """Serves ``answers``, by their names in ``methods``; the other methods are unimplemented.

    Args:
        shared: whether other processes may listen on the same port.
        request_seconds: how long a call may take to bring its request.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        answers: Mapping[str, Answer],
        bounds: Bounds,
        *,
        shared: bool,
        request_seconds: float = 10.0,
    ) -> None:
        self._health = health.aio.HealthServicer()
        self._services = sorted({split_method(name)[0] for name in answers})
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", bounds.message_bytes),
                ("grpc.max_metadata_size", bounds.metadata_bytes),
                ("grpc.so_reuseport", int(shared)),
            ),
            maximum_concurrent_rpcs=bounds.calls,
        )
        check = Method(health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse)
        self._server.add_generic_rpc_handlers(
            tuple(
                _generic(
                    {**methods, _HEALTH: check}, {**answers, _HEALTH: self._health.Check}, request_seconds
                )
            )
        )

    def bind(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen at ``address``, as gRPC has them, and say on which port; in clear text without credentials.

        Raises:
            UsageError: ``usage.listen``.
        """
        try:
            if credentials is None:
                port: int = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            raise UsageError(f"cannot listen on {address}", detail="listen") from None
        return port

    async def start(self) -> None:
        """Serve where it is bound."""
        await self._server.start()
        for service in ("", *self._services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Say that it goes, take no more calls, and let those under way end within ``grace_seconds``."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


async def abort(context: Any, outcome: Outcome, error: EAAError, detail: str) -> NoReturn:
    """End the call with the status of ``outcome``, ``detail``, and the error's code."""
    await context.abort(grpc.StatusCode[outcome.grpc], detail[:_MAX_DETAIL], ((CODE_METADATA, error.code),))
    raise AssertionError("abort raises")


def _generic(
    methods: Mapping[str, Method], answers: Mapping[str, Answer], request_seconds: float
) -> Iterable[Any]:
    services: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        service, method = split_method(name)
        # To a client it is unary; as a stream of requests its first can be waited for with a limit.
        services.setdefault(service, {})[method] = grpc.stream_unary_rpc_method_handler(
            _unary(methods[name].request, answer, request_seconds),
            response_serializer=methods[name].response.SerializeToString,
        )
    for service, members in services.items():
        yield grpc.method_handlers_generic_handler(service, members)


def _unary(kind: type[Message], answer: Answer, request_seconds: float) -> Answer:
    async def answered(_: Any, context: Any) -> Message:
        try:
            async with asyncio.timeout(request_seconds):
                request = await context.read()
        except TimeoutError:
            await context.abort(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"expected the request within {request_seconds:g} seconds"
            )
        if request is grpc.aio.EOF:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected one request, came none")
        try:
            read = kind.FromString(request)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"expected a {kind.DESCRIPTOR.full_name}")
        return await answer(read, context)

    return answered
