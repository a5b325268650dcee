"""An ASGI application on a socket that is bound already: HTTP/1.1, over TLS where there are files for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn

from eaa.errors import InternalError
from eaa.services.tls_files import HttpFiles, require_certificate

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HttpListener"]


class HttpListener:
    """Serves ``app``, an ASGI application, by ``protocol``.

    ``files`` name certificate and key; ``None``, or none named, is clear text. A connection without a request
    ends after ``idle_seconds``.

    Raises:
        ConfigError: certificate or key cannot be used.
    """

    def __init__(
        self, app: Any, protocol: type[HttpToolsProtocol], files: HttpFiles | None, *, idle_seconds: int
    ) -> None:
        self._files = files
        certificate, key = (files.certificate, files.private_key) if files is not None else (None, None)
        if files is not None:
            require_certificate(files)
        settings = uvicorn.Config(
            app, http=protocol, loop="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=True, proxy_headers=False, ws="none", backlog=1024,
            timeout_keep_alive=idle_seconds, ssl_certfile=str(certificate) if certificate else None,
            ssl_keyfile=str(key) if key else None,
        )  # fmt: skip
        self._server = _Server(settings)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Serve on ``listening``; returns once it does.

        Raises:
            InternalError: it ended at once.
        """
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise InternalError("the HTTP server ended before it began")
            await asyncio.sleep(0.005)

    def renew(self) -> None:
        """New connections get the certificate that is on disk now.

        Raises:
            ConfigError: certificate or key cannot be used; then nothing is replaced.
        """
        if self._files is None:
            return
        require_certificate(self._files)
        if self._server.config.ssl is not None and self._files.certificate is not None:
            self._server.config.ssl.load_cert_chain(self._files.certificate, self._files.private_key)

    async def stop(self, seconds: float) -> None:
        """Accept no more; requests that are under way have ``seconds`` to end, one at the least."""
        if self._serving is None:
            return
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving


class _Server(uvicorn.Server):
    """Signals are ours to take."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
