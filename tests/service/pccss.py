"""pccs in this process, with a clock that the test sets, asked over HTTP; and the vendors whom it asks."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from eaa.services.pccs.config import load_config
from eaa.services.pccs.core import Inputs
from eaa.services.pccs.service import Pccs
from eaa.services.pccs.upstream_sources import open_upstream
from eaa.verify.fetched import TrustRoot
from tests.fakes.clock import Clock
from tests.fakes.emulated_vendors import EmulatedVendors
from tests.fakes.upstream_server import Request, UpstreamServer
from tests.fakes.vendor import make_platform

__all__ = ["ADMIN", "USER", "V4", "Served", "emulated", "run", "serving"]

ADMIN, USER = "admin-token-of-tests", "user-token-of-tests"
V4 = "/sgx/certification/v4"


@dataclass
class Served:
    """A running service, its client, and who is behind it."""

    service: Pccs
    client: httpx.AsyncClient
    clock: Clock
    vendors: EmulatedVendors
    upstream: UpstreamServer
    said: list[str] = field(default_factory=list)

    @property
    def asked(self) -> list[Request]:
        """What upstream was asked, in order."""
        return self.upstream.requests

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.client.get(path if path.startswith("/") else f"{V4}/{path}", params=query)


def emulated() -> EmulatedVendors:
    """A vendor with one platform."""
    platform = make_platform()
    return EmulatedVendors(platform.vendor, [platform])


@asynccontextmanager
async def serving(
    folder: Path,
    vendors: EmulatedVendors | None = None,
    *,
    clock: Clock | None = None,
    anchors: tuple[TrustRoot, ...] | None = None,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """A service on a database in ``folder``. ``settings`` are sections of the configuration."""
    vendors, clock = vendors or emulated(), clock or Clock()
    believed = anchors or (
        vendors.vendor.root.parsed,
        *(platform.vendor.ark.parsed for platform in vendors.amd),
    )
    async with UpstreamServer(vendors, tls=tls) as upstream:
        flags = _flags(folder, upstream.url, settings)
        config = load_config(None, flags, {})
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        inputs = Inputs(
            config, believed, lambda: open_upstream(config.upstream), listening, clock=clock,
            spread=lambda: 0.5,
        )  # fmt: skip
        said: list[str] = []
        service = Pccs(inputs, said.append)
        await service.start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=base, timeout=30) as client:
                yield Served(service, client, clock, vendors, upstream, said)
        finally:
            await service.drain(1)
            listening.close()


def _flags(folder: Path, url: str, settings: dict[str, Any]) -> dict[str, Any]:
    hashes = {
        "admin_sha512": hashlib.sha512(ADMIN.encode()).hexdigest(),
        "user_sha512": hashlib.sha512(USER.encode()).hexdigest(),
    }
    flags: dict[str, Any] = {
        "state_directory": str(folder), "metrics": {"listen": ""}, "tokens": hashes,
        "upstream": {"url": url, "certificates_url": url, "amd_url": url, "hygon_url": url, "seconds": 5},
    }  # fmt: skip
    for name, value in settings.items():
        flags[name] = {**flags.get(name, {}), **value} if isinstance(value, dict) else value
    return flags


def run(folder: Path, work: Callable[[Served], Awaitable[None]], **settings: Any) -> None:
    """``work`` with what is served as :func:`serving` has it, from a folder in ``folder``."""

    async def inner() -> None:
        async with serving(folder / "s", **settings) as served:
            await work(served)

    asyncio.run(inner())
