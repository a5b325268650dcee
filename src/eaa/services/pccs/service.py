"""One process of pccs: its listeners around one core, from start to drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

import uvicorn

from eaa.errors import InternalError, StorageError
from eaa.services.configuration import split_address
from eaa.services.http_protocol import HttpBounds
from eaa.services.metrics import merge_samples, render
from eaa.services.metrics_http import Health, start_metrics_server
from eaa.services.pccs.config import Mode
from eaa.services.pccs.core import Core, Inputs
from eaa.services.pccs.direct import direct_protocol
from eaa.services.pccs.http_app import refusal
from eaa.services.pccs.metrics import FAMILIES
from eaa.services.tls_files import require_certificate
from eaa.storage.collateral.database import CollateralDatabase

__all__ = ["Pccs"]

_LOG = logging.getLogger("eaa.pccs")
#: How soon what another process has changed is seen.
_WATCH_SECONDS = 1.0


class Pccs:
    """Started and drained by :func:`eaa.services.running.run_until_stopped`."""

    def __init__(self, inputs: Inputs, say: Callable[[str], None]) -> None:
        self._inputs, self._say = inputs, say
        self._core: Core | None = None
        self._http: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._health: asyncio.Server | None = None
        self._draining, self._storage = False, ""

    @property
    def not_ready(self) -> str:
        """Why it cannot serve now, or empty."""
        if self._core is None:
            return "starting"
        if self._draining:
            return "draining"
        return "internal" if any(task.done() for task in self._tasks) else self._storage

    @property
    def core(self) -> Core:
        """What it serves from.

        Raises:
            InternalError: it is not started.
        """
        if self._core is None:
            raise InternalError("pccs is not started")
        return self._core

    async def start(self) -> None:
        """Open everything and serve.

        Raises:
            EAAError: what cannot be had, and why; then nothing is left open.
        """
        try:
            await self._start()
        except BaseException:
            await self.drain(0)
            raise

    async def _start(self) -> None:
        config = self._inputs.config
        require_certificate(config.http)
        database = await CollateralDatabase.open(config.storage_url)
        try:
            upstream = self._inputs.upstream()
        except BaseException:
            await database.close()
            raise
        self._core = Core(self._inputs, database, upstream)
        await self._core.watch()
        self._tasks = [asyncio.create_task(self._watch(self._core))]
        if config.mode is not Mode.OFFLINE:
            self._tasks.append(asyncio.create_task(self._core.refresher.run()))
        await self._start_http(self._core)
        if config.metrics.listen and not self._inputs.shared:
            host, port = split_address(config.metrics.listen)
            health = Health(lambda: self.not_ready, self.metrics_text)
            self._health, port = await start_metrics_server(host, port, health)
            self._say(f"metrics on http://{host}:{port}/metrics")

    def metrics_text(self) -> str:
        """In Prometheus' text format."""
        return render(FAMILIES, merge_samples(FAMILIES, [self.core.samples()]))

    def renew(self) -> None:
        """New connections get the certificate that is on disk now.

        Raises:
            ConfigError: certificate or key cannot be used; then nothing is replaced.
        """
        http = self._inputs.config.http
        require_certificate(http)
        if self._http is not None and self._http.config.ssl is not None and http.certificate:
            self._http.config.ssl.load_cert_chain(http.certificate, http.private_key)

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let what is under way end, then close; whether all ended by itself."""
        self._draining = True
        if self._http is not None and self._serving is not None:
            self._http.config.timeout_graceful_shutdown = max(1, int(seconds))
            self._http.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._health is not None:
            self._health.close()
        if self._core is not None:
            await self._core.close()
            self._core = None
        return True

    async def _watch(self, core: Core) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await core.watch()
                self._storage = ""
            except StorageError as error:
                if not self._storage:
                    _LOG.error("the database does not answer: %s", error)
                self._storage = error.code

    async def _start_http(self, core: Core) -> None:
        config = self._inputs.config
        http = config.http
        bounds = HttpBounds(http.max_connections, http.max_head_bytes, http.request_seconds)
        settings = uvicorn.Config(
            core.app(lambda: self.not_ready), http=direct_protocol(bounds, refusal, core.direct), loop="none",
            lifespan="off", log_config=None, access_log=False, server_header=False, date_header=True,
            proxy_headers=False, timeout_keep_alive=60,
            ssl_certfile=str(http.certificate) if http.certificate else None,
            ssl_keyfile=str(http.private_key) if http.private_key else None,
            timeout_graceful_shutdown=max(1, int(config.drain_seconds)), ws="none", backlog=1024,
        )  # fmt: skip
        self._http = _Server(settings)
        self._serving = asyncio.create_task(self._http.serve(sockets=[self._inputs.http_socket]))
        while not self._http.started:
            if self._serving.done():
                self._serving.result()
                raise InternalError("the HTTP server ended before it began")
            await asyncio.sleep(0.005)


class _Server(uvicorn.Server):
    """Signals are ours to take."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
