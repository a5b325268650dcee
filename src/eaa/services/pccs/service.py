"""One process of pccs: its listeners around one core, from start to drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn

from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.x509 import Certificate
from eaa.errors import InternalError, StorageError
from eaa.services.configuration import on_loopback, split_address
from eaa.services.http_protocol import HttpBounds
from eaa.services.metrics import merge_samples, render
from eaa.services.metrics_http import Health, start_metrics_server
from eaa.services.pccs.answers import Answer
from eaa.services.pccs.call import Call
from eaa.services.pccs.config import Mode, PccsConfig
from eaa.services.pccs.direct import Direct, direct_protocol
from eaa.services.pccs.endpoints_admin import AdminEndpoints
from eaa.services.pccs.endpoints_intel import Endpoint, IntelEndpoints
from eaa.services.pccs.endpoints_vendors import VendorEndpoints
from eaa.services.pccs.http_app import PEER, PccsApp, Route, refusal
from eaa.services.pccs.judge import Judge
from eaa.services.pccs.metrics import FAMILIES, Events
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.refresher import Refresher
from eaa.services.pccs.stock import Stock, StockSettings
from eaa.services.pccs.upstream import Upstream
from eaa.services.rate import RateLimit
from eaa.services.tls_files import require_certificate
from eaa.storage.collateral.database import CollateralDatabase

__all__ = ["Core", "Inputs", "Pccs", "utc_now"]

_LOG = logging.getLogger("eaa.pccs")
#: How soon what another process has changed is seen.
_WATCH_SECONDS = 1.0
#: New platforms are counted so many looks later.
_COUNT_EACH = 15


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is handed to the process: configuration, what is believed, who is asked, a bound socket."""

    config: PccsConfig
    anchors: Sequence[Certificate]
    upstream: Callable[[], Upstream]
    http_socket: socket.socket
    hygon: Sequence[HygonCaCertificate] = ()
    shared: bool = False  # whether other processes serve the same port
    clock: Callable[[], datetime] = utc_now
    spread: Callable[[], float] = random.random


class Core:
    """All but the listeners."""

    def __init__(self, inputs: Inputs, database: CollateralDatabase, upstream: Upstream) -> None:
        config = self.config = inputs.config
        holder = secrets.token_hex(8)
        self.database, self.upstream, self.events = database, upstream, Events()
        self._misses = RateLimit(config.limits.misses_per_second, time.monotonic)
        settings = StockSettings(
            timedelta(hours=config.cache.refresh_hours), timedelta(seconds=config.cache.negative_seconds),
            config.cache.serve_expired, holder,
        )  # fmt: skip
        self.stock = Stock(
            database, upstream, Judge(inputs.anchors, inputs.hygon), settings,
            clock=inputs.clock, spread=inputs.spread, events=self.events, admit=self._admit,
        )  # fmt: skip
        self.platforms = PlatformStock(
            self.stock, timedelta(days=config.cache.platform_refresh_days),
            register_missing=config.mode is Mode.REQ,
        )  # fmt: skip
        self.refresher = Refresher(
            self.stock, self.platforms, per_second=config.cache.refresh_per_second, holder=holder
        )
        self.direct = Direct(inputs.clock)
        self._generation, self._watched = -1, 0
        self._clock = inputs.clock
        self.expiring: list[str] = []

    def app(self, not_ready: Callable[[], str]) -> PccsApp:
        """The HTTP application."""
        config = self.config
        http = config.http
        return PccsApp(
            self._routes(), direct=self.direct, events=self.events, not_ready=not_ready,
            expiring=lambda: self.expiring,
            max_body_bytes=http.max_body_bytes, max_requests=http.max_connections,
            seconds=http.request_seconds,
            requests=RateLimit(config.limits.per_second, time.monotonic),
        )  # fmt: skip

    async def watch(self) -> None:
        """See what other processes have changed."""
        generation = await self.database.documents.generation()
        changed = generation != self._generation
        if changed:
            self._generation = generation
            self.stock.forget()
            self.direct.clear()
        self._watched += 1
        if changed or self._watched % _COUNT_EACH == 0:
            heads = await self.database.documents.heads()
            self.events.kept(heads, await self.database.platforms.count())
            soon = self._clock() + timedelta(days=self.config.cache.warn_days)
            self.expiring = [item.name for item in heads if item.expires_at <= soon]

    def samples(self) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
        """What was counted."""
        self.events.direct = self.direct.served
        return self.events.samples()

    async def close(self) -> None:
        """End what is under way, and give everything back."""
        await self.stock.close()
        await self.platforms.close()
        await self.upstream.close()
        await self.database.close()

    def _seen(self, endpoint: Endpoint) -> Endpoint:
        """What an administrator changes, this process sees before it has answered."""

        async def seen(call: Call) -> Answer:
            answer = await endpoint(call)
            await self.watch()
            return answer

        return seen

    def _admit(self) -> None:
        """Raises ``LimitExceeded`` where an address asks too often for what must be fetched."""
        if peer := PEER.get():
            self._misses.take(peer)

    def _routes(self) -> list[Route]:
        config = self.config
        accepts_tokens = config.http.certificate is not None or on_loopback(config.http.listen)
        intel = IntelEndpoints(self.stock, self.platforms, self.database.appraisal_policies, config.mode)
        admin = AdminEndpoints(
            config.tokens, self.stock, self.platforms, self.refresher, config.mode,
            accepts_tokens=accepts_tokens,
        )  # fmt: skip
        vendors = VendorEndpoints(self.stock, config.mode)
        routes = [
            Route("GET", f"/sgx/certification/v{version}/{path}", endpoint, version)
            for version in (3, 4)
            for path, endpoint in intel.routes().items()
        ]
        routes += [
            Route(method, f"/sgx/certification/v{version}/{path}", self._seen(endpoint), version)
            for version in (3, 4)
            for (method, path), endpoint in admin.routes().items()
        ]
        routes += [
            Route("GET", f"/tdx/certification/v4/{path}", endpoint, tee="tdx")
            for path, endpoint in intel.tdx_routes().items()
        ]
        return routes + [Route("GET", path, endpoint) for path, endpoint in vendors.routes().items()]


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
