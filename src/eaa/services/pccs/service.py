"""One process of pccs: its listeners around one core, from start to drained."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from eaa.errors import InternalError, StorageError
from eaa.services.http_listener import HttpListener
from eaa.services.http_protocol import HttpBounds
from eaa.services.metrics import merge_samples, render
from eaa.services.metrics_http import Health, serve_metrics
from eaa.services.pccs.config import Mode
from eaa.services.pccs.core import Core, Inputs
from eaa.services.pccs.direct import direct_protocol
from eaa.services.pccs.http_app import refusal
from eaa.services.pccs.metrics import FAMILIES
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
        self._http: HttpListener | None = None
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
            health = Health(lambda: self.not_ready, self.metrics_text)
            self._health = await serve_metrics(config.metrics.listen, health, self._say)

    def metrics_text(self) -> str:
        """In Prometheus' text format."""
        return render(FAMILIES, merge_samples(FAMILIES, [self.core.samples()]))

    def renew(self) -> None:
        """New connections get the certificate that is on disk now.

        Raises:
            ConfigError: certificate or key cannot be used; then nothing is replaced.
        """
        if self._http is not None:
            self._http.renew()

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let what is under way end, then close; whether all ended by itself."""
        self._draining = True
        if self._http is not None:
            await self._http.stop(seconds)
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
        http = self._inputs.config.http
        bounds = HttpBounds(http.max_connections, http.max_head_bytes, http.request_seconds)
        protocol = direct_protocol(bounds, refusal, core.direct)
        self._http = HttpListener(core.app(lambda: self.not_ready), protocol, http, idle_seconds=60)
        await self._http.start(self._inputs.http_socket)
