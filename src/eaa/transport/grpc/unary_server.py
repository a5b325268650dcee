"""What our gRPC servers share: unary methods of a table, ``grpc.health.v1``, bounds, errors as statuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from eaa.errors import EAAError, Outcome, UsageError
from eaa.transport.grpc.client_api import CODE_METADATA, Method, split_method

__all__ = ["Answer", "Bounds", "UnaryServer", "abort"]

_MAX_DETAIL = 1024

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
    """

    def __init__(
        self, methods: Mapping[str, Method], answers: Mapping[str, Answer], bounds: Bounds, *, shared: bool
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
        self._server.add_generic_rpc_handlers(tuple(_generic(methods, answers)))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

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


def _generic(methods: Mapping[str, Method], answers: Mapping[str, Answer]) -> Iterable[Any]:
    services: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        service, method = split_method(name)
        services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=methods[name].request.FromString,
            response_serializer=methods[name].response.SerializeToString,
        )
    for service, members in services.items():
        yield grpc.method_handlers_generic_handler(service, members)
