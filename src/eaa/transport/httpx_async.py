"""HTTP over attested channels with an otherwise unchanged ``httpx.AsyncClient``, on asyncio.

    async with httpx.AsyncClient(transport=AsyncAttestedTransport(config)) as client:
        response = await client.get("https://127.0.0.1:8443/")
        peer = attested_peer(response)

What holds is what :mod:`eaa.transport.httpx_transport` says of its blocking twin.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from eaa.tls.peer import Role
from eaa.transport.address import TcpAddress, UnixAddress
from eaa.transport.config import ChannelConfig
from eaa.transport.httpx_transport import (
    LIMITS,
    PEER_INFO,
    attested_peer,
    errors_of_httpcore,
    pool_options,
    require_https,
)
from eaa.transport.streams import AttestedStream, open_attested_connection

__all__ = ["AsyncAttestedTransport", "attested_peer"]

_READ_AHEAD_BYTES = 64 * 1024
#: What a server is given to take what was sent before.
_CLOSING_SECONDS = 1.0


class AsyncAttestedTransport(httpx.AsyncHTTPTransport):
    """A transport for ``httpx.AsyncClient``: connections are pooled, each attested when it is made.

    The time that httpx gives to connecting is for connection, handshake and evidence together.

    Args:
        config: with a verifier.
        uds: connect to this Unix socket, whatever the URL says.
        limits: of the pool, as httpx has them.

    Raises, in requests:
        EAAError: the server was refused, or refused.
        UsageError: another scheme than ``https``.
        httpx.TransportError: as without attestation.
    """

    def __init__(
        self, config: ChannelConfig, *, uds: str | None = None, limits: httpx.Limits = LIMITS
    ) -> None:
        config.require_role(Role.CLIENT)
        # Not the parent's __init__: it would make a pool of ordinary TLS.
        self._pool = httpcore.AsyncConnectionPool(
            **pool_options(limits), uds=uds, network_backend=_Backend(config)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        require_https(request)
        return await super().handle_async_request(request)


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens channels: there is never a connection without one."""

    def __init__(self, config: ChannelConfig) -> None:
        self._config = config

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return await self._open(TcpAddress(host, port), timeout)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        return await self._open(UnixAddress(path), timeout)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _open(self, address: TcpAddress | UnixAddress, timeout: float | None) -> _Attested:
        # Of the handshake there is a deadline in any case; this one is for reaching the server too.
        limit = 2 * self._config.handshake_seconds if timeout is None else timeout
        with errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(limit):
                return _Attested(await open_attested_connection(str(address), self._config))


class _Attested(httpcore.AsyncNetworkStream):
    """An open channel, always read ahead of: that is how the end of an idle connection is seen."""

    def __init__(self, stream: AttestedStream) -> None:
        self._stream = stream
        self._unread = b""
        self._ahead = self._read_ahead()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._unread:
            with errors_of_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
                async with asyncio.timeout(timeout):
                    self._unread = await asyncio.shield(self._ahead)
            if self._unread:
                self._ahead = self._read_ahead()
        data, self._unread = self._unread[:max_bytes], self._unread[max_bytes:]
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            with errors_of_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
                async with asyncio.timeout(timeout):
                    self._stream.write(buffer)
                    await self._stream.drain()

    async def aclose(self) -> None:
        self._ahead.cancel()
        self._stream.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._stream.wait_closed()

    def get_extra_info(self, info: str) -> Any:
        if info == PEER_INFO:
            return self._stream.peer
        if info == "is_readable":  # an idle connection that can be read has been closed
            return bool(self._unread) or self._ahead.done()
        return None

    def _read_ahead(self) -> asyncio.Task[bytes]:
        ahead = asyncio.create_task(self._stream.read(_READ_AHEAD_BYTES))
        ahead.add_done_callback(_seen)
        return ahead


def _seen(ahead: asyncio.Task[bytes]) -> None:
    """How an idle connection ended may interest nobody."""
    if not ahead.cancelled():
        ahead.exception()
