"""The client API's server: every call goes through one function that authenticates before anything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from eaa.broker.administration.principal import Principal
from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError, EAAError, InternalError, UsageError, outcome_of
from eaa.transport.address import TcpAddress, parse_address
from eaa.transport.grpc.client_api import CODE_METADATA, METHODS, split_method
from eaa.transport.unexpected import log_unexpected

__all__ = ["ClientApiServer", "Handler", "Limits", "TlsFiles"]

_LOG = logging.getLogger("eaa.transport.grpc")
_MAX_DETAIL = 1024

#: Answers one method; what it raises becomes the call's status.
Handler = Callable[[Principal, Any], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Private key and certificate chain, PEM."""

    key: bytes
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """``message_bytes`` of one request; more calls than ``calls`` at once are refused."""

    message_bytes: int = 2 * 1024 * 1024
    metadata_bytes: int = 16 * 1024
    calls: int = 64
    deadline_seconds: float = 30.0


class ClientApiServer:
    """Serves ``handlers``, by their names in ``METHODS``, and ``grpc.health.v1``, which needs no credential.

    Args:
        address: ``host:port``; port 0 lets the kernel choose. Off loopback ``tls`` is needed.
        handlers: the methods that there are; the others are unimplemented.
        authenticate: who the bearer of a token is; :class:`~eaa.errors.CredentialError` if nobody.
        shared: whether other processes may listen on the same port.

    Raises:
        ConfigError: ``config.client_api``: no TLS off loopback.
        UsageError: ``address`` is none.
    """

    def __init__(
        self,
        address: str,
        handlers: Mapping[str, Handler],
        authenticate: Callable[[str], Principal],
        *,
        tls: TlsFiles | None,
        limits: Limits,
        shared: bool = False,
    ) -> None:
        self._address = _require_safe(address, tls)
        self._authenticate = authenticate
        self._tls = tls
        self._deadline = limits.deadline_seconds
        self._health = health.aio.HealthServicer()
        self._services = sorted({split_method(name)[0] for name in handlers})
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", limits.message_bytes),
                ("grpc.max_metadata_size", limits.metadata_bytes),
                ("grpc.so_reuseport", int(shared)),
            ),
            maximum_concurrent_rpcs=limits.calls,
        )
        self._server.add_generic_rpc_handlers(tuple(self._generic(handlers)))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self) -> int:
        """Listen, and say on which port.

        Raises:
            UsageError: ``usage.listen``.
        """
        try:
            port = self._bind()
            await self._server.start()
        except RuntimeError:
            raise UsageError(f"cannot listen on {self._address}", detail="listen") from None
        for service in ("", *self._services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Say that it goes, take no more calls, and let those under way end within ``grace_seconds``."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)

    def _bind(self) -> int:
        if self._tls is None:
            port: int = self._server.add_insecure_port(self._address)
        else:
            pair = (self._tls.key, self._tls.certificate)
            port = self._server.add_secure_port(self._address, grpc.ssl_server_credentials((pair,)))
        return port

    def _generic(self, handlers: Mapping[str, Handler]) -> Iterable[Any]:
        services: dict[str, dict[str, Any]] = {}
        for name, handler in handlers.items():
            service, method = split_method(name)
            services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(
                self._answering(name, handler),
                request_deserializer=METHODS[name].request.FromString,
                response_serializer=METHODS[name].response.SerializeToString,
            )
        for service, methods in services.items():
            yield grpc.method_handlers_generic_handler(service, methods)

    def _answering(self, name: str, handler: Handler) -> Callable[[Any, Any], Awaitable[Message]]:
        async def answer(request: Any, context: Any) -> Message:
            try:
                principal = self._authenticate(_bearer(context.invocation_metadata()))
            except EAAError as error:
                await _abort(context, error, error.public)
            try:
                async with asyncio.timeout(self._deadline):
                    return await handler(principal, request)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long")
            except EAAError as error:
                await _abort(context, error, str(error))
            except Exception as error:
                log_unexpected(_LOG, name, error)
                broken = InternalError(type(error).__name__)
                await _abort(context, broken, broken.public)
            raise AssertionError("abort raises")

        return answer


def _bearer(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The token of the one ``authorization``; empty if there is none, or more than one."""
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        return ""
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _abort(context: Any, error: EAAError, detail: str) -> NoReturn:
    await context.abort(
        grpc.StatusCode[outcome_of(error).grpc], detail[:_MAX_DETAIL], ((CODE_METADATA, error.code),)
    )
    raise AssertionError("abort raises")


def _require_safe(address: str, tls: TlsFiles | None) -> str:
    """``address`` if credentials may travel to it."""
    where = parse_address(f"tcp://{address}")
    assert isinstance(where, TcpAddress)  # noqa: S101 - of the scheme given
    if tls is None and not is_loopback(where.host):
        raise ConfigError(
            f"client API at {address}: expected TLS, or an address of loopback", detail="client_api"
        )
    return str(where).removeprefix("tcp://")
