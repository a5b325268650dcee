"""HTTP over attested channels with an otherwise unchanged httpx.

    with httpx.Client(transport=AttestedTransport(config)) as client:
        response = client.get("https://127.0.0.1:8443/")
        peer = attested_peer(response)

The server's evidence is accepted before the first byte of a request leaves. The host name of a URL says
where to connect and proves nothing: who is there is what the verifier has accepted. Only ``https`` URLs
are served, so that a typing error sends nothing in the clear; proxies are not supported.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from eaa.errors import ConfigError, UsageError
from eaa.tls.peer import PeerIdentity, Role
from eaa.transport.blocking import AttestedSocket, wrap_client
from eaa.transport.config import ChannelConfig

try:
    import httpcore
    import httpx
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("attested HTTP requests need httpx: pip install eaa[httpx]", key="httpx") from error

__all__ = [
    "LIMITS",
    "PEER_INFO",
    "AttestedTransport",
    "attested_peer",
    "errors_of_httpcore",
    "pool_options",
    "require_https",
]

#: Under which name a network stream gives the peer's identity.
PEER_INFO = "attestation"
#: Of the pool, as httpx has them by default.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)


class AttestedTransport(httpx.HTTPTransport):
    """A transport for ``httpx.Client``: connections are pooled, each attested when it is made.

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
        self._pool = httpcore.ConnectionPool(
            **pool_options(limits), uds=uds, network_backend=_Backend(config)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        require_https(request)
        return super().handle_request(request)


def pool_options(limits: httpx.Limits) -> dict[str, Any]:
    """Of a pool of httpcore whose connections are channels."""
    return {
        # Never used: what stands in for TLS is the channel.
        "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
    }


def require_https(request: httpx.Request) -> None:
    """Holds if the URL asks for what a channel stands in for.

    Raises:
        UsageError: another scheme.
    """
    if request.url.scheme != "https":
        raise UsageError(
            f"{request.url.scheme}:// is not attested; the URL begins with https://", detail="scheme"
        )


def attested_peer(response: httpx.Response) -> PeerIdentity:
    """Who answered, as proven last on the connection of ``response``.

    Raises:
        UsageError: the response did not come over an attested transport.
    """
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info(PEER_INFO) if stream is not None else None
    if not isinstance(peer, PeerIdentity):
        raise UsageError("the response did not come over an attested channel", detail="not_attested")
    return peer


class _Backend(httpcore.NetworkBackend):
    """Connects sockets; the channel begins where TLS would."""

    def __init__(self, config: ChannelConfig) -> None:
        self._config = config

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        with errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            sock = socket.create_connection((host, port), timeout or self._config.handshake_seconds)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Unattested(sock, self._config)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        with errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(timeout or self._config.handshake_seconds)
                sock.connect(path)
            except OSError:
                sock.close()
                raise
        return _Unattested(sock, self._config)


class _Unattested(httpcore.NetworkStream):
    """A connected socket that nothing may be read from or written to yet."""

    def __init__(self, sock: socket.socket, config: ChannelConfig) -> None:
        self._sock, self._config = sock, config

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Attested(wrap_client(self._sock, self._config))

    def close(self) -> None:
        self._sock.close()


class _Attested(httpcore.NetworkStream):
    """An open channel."""

    def __init__(self, channel: AttestedSocket) -> None:
        self._channel = channel

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with errors_of_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            self._channel.settimeout(timeout)
            return self._channel.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            with errors_of_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
                self._channel.settimeout(timeout)
                self._channel.send(buffer)

    def close(self) -> None:
        self._channel.close()

    def get_extra_info(self, info: str) -> Any:
        if info == PEER_INFO:
            return self._channel.peer
        if info == "is_readable":  # an idle connection that can be read has been closed
            return self._channel.readable()
        return None


@contextmanager
def errors_of_httpcore(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """Errors of sockets as those of httpcore, which httpx turns into its own."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise other(str(error)) from error
