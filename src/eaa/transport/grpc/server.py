"""The client API's server: every call goes through one function that authenticates before anything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from eaa.broker.administration.principal import Principal
from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError, EAAError, InternalError, outcome_of
from eaa.transport.address import TcpAddress, parse_address
from eaa.transport.grpc.client_api import METHODS
from eaa.transport.grpc.unary_server import Answer, UnaryServer, abort
from eaa.transport.unexpected import log_unexpected

__all__ = ["ClientApiServer", "Handler", "Limits", "TlsFiles"]

_LOG = logging.getLogger("eaa.transport.grpc")

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
        answers = {name: self._answering(name, handler) for name, handler in handlers.items()}
        self._server = UnaryServer(METHODS, answers, limits, shared=shared)

    async def start(self) -> int:
        """Listen, and say on which port.

        Raises:
            UsageError: ``usage.listen``.
        """
        credentials = None
        if self._tls is not None:
            credentials = grpc.ssl_server_credentials(((self._tls.key, self._tls.certificate),))
        port = self._server.bind(self._address, credentials)
        await self._server.start()
        return port

    async def stop(self, grace_seconds: float) -> None:
        """Say that it goes, take no more calls, and let those under way end within ``grace_seconds``."""
        await self._server.stop(grace_seconds)

    def _answering(self, name: str, handler: Handler) -> Answer:
        async def answer(request: Any, context: Any) -> Message:
            try:
                principal = self._authenticate(_bearer(context.invocation_metadata()))
            except EAAError as error:
                await abort(context, outcome_of(error), error, error.public)
            try:
                async with asyncio.timeout(self._deadline):
                    return await handler(principal, request)
            except TimeoutError:
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long")
            except EAAError as error:
                await abort(context, outcome_of(error), error, str(error))
            except Exception as error:
                log_unexpected(_LOG, name, error)
                broken = InternalError(type(error).__name__)
                await abort(context, outcome_of(broken), broken, broken.public)
            raise AssertionError("abort raises")

        return answer


def _bearer(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The token of the one ``authorization``; empty if there is none, or more than one."""
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        return ""
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _require_safe(address: str, tls: TlsFiles | None) -> str:
    """``address`` if credentials may travel to it."""
    where = parse_address(f"tcp://{address}")
    assert isinstance(where, TcpAddress)  # noqa: S101 - of the scheme given
    if tls is None and not is_loopback(where.host):
        raise ConfigError(
            f"client API at {address}: expected TLS, or an address of loopback", detail="client_api"
        )
    return str(where).removeprefix("tcp://")
