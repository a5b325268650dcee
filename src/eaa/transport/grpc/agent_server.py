"""The agent's gRPC server: for what runs in the same guest, on loopback or a socket of its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from eaa.errors import EAAError, Outcome, UsageError
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.grpc.agent_api import METHODS, Handler
from eaa.transport.grpc.agent_sockets import private_files, require_local
from eaa.transport.grpc.client_api import CODE_METADATA, split_method

__all__ = ["AgentLimits", "AgentServer"]

_MAX_DETAIL = 1024


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """``message_bytes`` of one request; more calls than ``calls`` at once are refused."""

    message_bytes: int = 4 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    calls: int = 256


class AgentServer:
    """Serves ``handlers``, by their names in ``METHODS``, and ``grpc.health.v1``.

    Args:
        address: ``tcp://`` on loopback, port 0 lets the kernel choose; or ``unix://``, mode 0600.
        handlers: the methods that there are; the others are unimplemented.
        outcome: the status of an error.

    Raises:
        ConfigError: ``config.not_local``.
        UsageError: ``address`` is none.
    """

    def __init__(
        self,
        address: str,
        handlers: Mapping[str, Handler],
        outcome: Callable[[EAAError], Outcome],
        *,
        limits: AgentLimits,
    ) -> None:
        require_local(address)
        self._where = parse_address(address)
        self._outcome = outcome
        self._health = health.aio.HealthServicer()
        self._services = sorted({split_method(name)[0] for name in handlers})
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", limits.message_bytes),
                ("grpc.max_metadata_size", limits.metadata_bytes),
                ("grpc.so_reuseport", 0),
            ),
            maximum_concurrent_rpcs=limits.calls,
        )
        self._server.add_generic_rpc_handlers(tuple(self._generic(handlers)))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self) -> str:
        """Listen, and say where, with the port that the kernel chose.

        Raises:
            UsageError: ``usage.listen``.
        """
        match self._where:
            case TcpAddress(host):
                port = self._bind(str(self._where).removeprefix("tcp://"))
                where = str(TcpAddress(host, port))
            case UnixAddress(path):
                with private_files():
                    self._bind(f"unix:{path}")
                where = str(self._where)
        await self._server.start()
        for service in ("", *self._services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return where

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, and let those under way end within ``grace_seconds``."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)
        if isinstance(self._where, UnixAddress):
            Path(self._where.path).unlink(missing_ok=True)

    def _bind(self, address: str) -> int:
        try:
            port: int = self._server.add_insecure_port(address)
        except RuntimeError:
            raise UsageError(f"cannot listen on {address}", detail="listen") from None
        return port

    def _generic(self, handlers: Mapping[str, Handler]) -> Iterable[Any]:
        services: dict[str, dict[str, Any]] = {}
        for name, handler in handlers.items():
            service, method = split_method(name)
            services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(
                self._answering(handler),
                request_deserializer=METHODS[name].request.FromString,
                response_serializer=METHODS[name].response.SerializeToString,
            )
        for service, methods in services.items():
            yield grpc.method_handlers_generic_handler(service, methods)

    def _answering(self, handler: Handler) -> Callable[[Any, Any], Any]:
        async def answer(request: Any, context: Any) -> Message:
            try:
                return await handler(request)
            except EAAError as error:
                status = grpc.StatusCode[self._outcome(error).grpc]
                await context.abort(status, str(error)[:_MAX_DETAIL], ((CODE_METADATA, error.code),))
            raise AssertionError("abort raises")

        return answer
