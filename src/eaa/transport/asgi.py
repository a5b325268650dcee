"""Any ASGI application, served over attested channels by an otherwise unchanged uvicorn.

    serve(app, config, "tcp://127.0.0.1:8443")

The application finds the peer in ``scope["extensions"]["attestation"]``, a
:class:`~eaa.tls.peer.PeerIdentity`; under one-way attestation it says that nothing was asked of the
client. It is put there by the server and by nothing else: no header of a request has a part in it, and
headers that look like it are passed on as the strings that they are.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from eaa.errors import ConfigError, EAAError, RemoteProtocolError
from eaa.tls.peer import PeerIdentity, Role
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import Endpoint, endpoint_of
from eaa.transport.facade import FacadeTransport
from eaa.transport.failures import truncated
from eaa.transport.half_open import HalfOpen
from eaa.transport.peer_bound import PeerBound, PeerPlace
from eaa.transport.protocol import ChannelProtocol

try:
    import uvicorn
except ImportError as error:  # pragma: no cover - the tests install the extra
    raise ConfigError("serving ASGI applications needs uvicorn: pip install eaa[asgi]", key="asgi") from error

__all__ = ["EXTENSION", "attested_http", "make_server", "serve"]

#: Where in ``scope["extensions"]`` the peer's identity is.
EXTENSION = "attestation"

App = Callable[[Any, Any, Any], Awaitable[None]]
HttpProtocol = Callable[..., asyncio.Protocol]


def serve(app: App | str, config: ChannelConfig, address: str, **options: Any) -> None:
    """Serve ``app`` at ``address`` until a signal ends it; ``options`` are uvicorn's.

    Raises:
        UsageError: the address.
        ConfigError: the configuration is not a server's, or an option would serve beside the channel.
    """
    make_server(app, config, address, **options).run()


def make_server(app: App | str, config: ChannelConfig, address: str, **options: Any) -> uvicorn.Server:
    """The server of :func:`serve`, not yet running."""
    config.require_role(Role.SERVER)
    for name in ("http", "host", "port", "uds", "fd", "ssl_certfile", "ssl_keyfile", "workers", "reload"):
        if name in options:
            raise ConfigError(f"the attested server decides about {name} itself", detail="asgi", key=name)
    match parse_address(address):
        case TcpAddress(host, port):
            options |= {"host": host, "port": port}
        case UnixAddress(path):
            options |= {"uds": path}
    http: Any = attested_http(config)
    return uvicorn.Server(uvicorn.Config(app, http=http, **options))


def attested_http(
    config: ChannelConfig, inner: HttpProtocol | None = None
) -> Callable[..., asyncio.BaseProtocol]:
    """What to give uvicorn as ``http=``: HTTP by ``inner`` inside attested channels.

    ``inner`` is one of uvicorn's protocol classes, by default the one it would choose itself.
    """
    config.require_role(Role.SERVER)
    endpoint, half_open = endpoint_of(config), HalfOpen(config)
    peers = PeerBound(config.half_open_per_peer)
    http = inner or _default_protocol()

    def make(config: uvicorn.Config, **state: Any) -> asyncio.BaseProtocol:
        return _HttpChannel(endpoint, half_open, peers, http, config, state)

    return make


class _HttpChannel(ChannelProtocol):
    """A channel with uvicorn's HTTP protocol inside, which exists from the moment the channel is open."""

    def __init__(
        self,
        endpoint: Endpoint,
        half_open: HalfOpen,
        peers: PeerBound,
        http: HttpProtocol,
        config: uvicorn.Config,
        state: dict[str, Any],
    ) -> None:
        super().__init__(endpoint, Role.SERVER, half_open)
        self._http, self._uvicorn, self._state = http, config, state
        self._peers = peers
        self._place: PeerPlace | None = None
        # Uvicorn's: whom it asks to end when it stops.
        self._connections: set[Any] = state["server_state"].connections
        self._facade: FacadeTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)
        if not self._over:
            try:
                self._place = self._peers.enter(transport.get_extra_info("peername"))
            except RemoteProtocolError as error:
                self.abort(error)

    def shutdown(self) -> None:
        """Asked by uvicorn when it stops, of what is not open yet."""
        self.abort(truncated("the server stops"))

    def on_open(self) -> None:
        self._leave_place()
        self._connections.discard(self)
        if self._transport is None:
            return
        # A copy, so that requests and upgraded connections of this channel alike see this peer.
        config = copy.copy(self._uvicorn)
        config.loaded_app = _with_peer(self._uvicorn.loaded_app, lambda: self.peer)
        inner = self._http(config=config, **self._state)
        self._facade = FacadeTransport(self, self._transport, inner)
        inner.connection_made(self._facade)

    def on_data(self, data: bytes) -> None:
        if self._facade is not None:
            self._facade.received(data)

    def on_end(self) -> None:
        if self._facade is not None and not self._facade.get_protocol().eof_received():
            self.close()

    def on_lost(self, error: EAAError | None) -> None:
        self._leave_place()
        self._connections.discard(self)
        # Later, as of any transport: the protocol may be in the middle of closing it.
        if self._facade is not None:
            self._loop.call_soon(self._facade.get_protocol().connection_lost, error)

    def _leave_place(self) -> None:
        if self._place is not None:
            self._place.leave()
            self._place = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._facade is not None:
            self._facade.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        if self._facade is not None:
            self._facade.get_protocol().resume_writing()


def _with_peer(app: Any, peer: Callable[[], PeerIdentity]) -> App:
    async def attested(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: peer()}
        await app(scope, receive, send)

    return attested


def _default_protocol() -> HttpProtocol:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415 - which one there is, is known here
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415 - which one there is, is known here

        return H11Protocol
    return HttpToolsProtocol
