"""One process of pccs without its listeners: what it serves from, and its routes."""

from __future__ import annotations

import random
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eaa.services.configuration import on_loopback
from eaa.services.pccs.answers import Answer
from eaa.services.pccs.call import Call
from eaa.services.pccs.config import Mode, PccsConfig
from eaa.services.pccs.direct import Direct
from eaa.services.pccs.endpoints_admin import AdminEndpoints
from eaa.services.pccs.endpoints_intel import Endpoint, IntelEndpoints
from eaa.services.pccs.endpoints_vendors import VendorEndpoints
from eaa.services.pccs.http_app import PEER, PccsApp, Route
from eaa.services.pccs.judge import Judge
from eaa.services.pccs.metrics import Events
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.refresher import Refresher
from eaa.services.pccs.stock import Stock, StockSettings
from eaa.services.pccs.upstream import Upstream
from eaa.services.rate import RateLimit
from eaa.storage.collateral.database import CollateralDatabase
from eaa.verify.fetched import TrustRoot

__all__ = ["Core", "Inputs", "utc_now"]

#: New platforms are counted so many looks later.
_COUNT_EACH = 15


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is handed to the process: configuration, what is believed, who is asked, a bound socket."""

    config: PccsConfig
    anchors: Sequence[TrustRoot]
    upstream: Callable[[], Upstream]
    http_socket: socket.socket
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
            database, upstream, Judge(inputs.anchors), settings,
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
