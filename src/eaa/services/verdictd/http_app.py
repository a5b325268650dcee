"""The HTTP application of verdictd: guests' routes, administrators' where they are safe, health."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from eaa.broker.administration import Principal
from eaa.services.rate import RateLimit
from eaa.services.verdictd.config import VerdictdConfig, on_loopback
from eaa.services.verdictd.core import Core, clock
from eaa.services.verdictd.http_admin import admin_routes, resource_endpoint
from eaa.services.verdictd.http_guest import Answer, GuestRoutes
from eaa.services.verdictd.metrics import VerdictdMetrics
from eaa.services.verdictd.middleware import Around

__all__ = ["http_app", "serves_administration"]


def http_app(
    config: VerdictdConfig, core: Core, metrics: VerdictdMetrics, not_ready: Callable[[], str]
) -> ASGIApp:
    """The application. ``not_ready`` says why it cannot serve, or is empty."""

    def authenticate(token: str) -> Principal:
        return core.credentials.verify(token, now=clock())

    administered = serves_administration(config)
    guests = GuestRoutes(
        core.broker, core.books,
        admin_resource=resource_endpoint(core.administration, authenticate) if administered else None,
        max_body_bytes=config.http.max_body_bytes,
        challenges=RateLimit(config.limits.auth_per_second, time.monotonic),
        attestations=RateLimit(config.limits.auth_per_second, time.monotonic),
    )  # fmt: skip
    routes = [
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/readyz", _readiness(not_ready), methods=["GET"]),
        *(_administration(core, authenticate) if administered else ()),
        *guests.routes(),
    ]
    return Around(
        _Direct(guests.frequent, Starlette(routes=routes)), metrics=metrics,
        max_requests=config.http.max_connections, seconds=config.http.request_seconds,
    )  # fmt: skip


class _Direct:
    """Finds what guests ask for all the time without a search through all routes, which are ``others``."""

    def __init__(self, frequent: Callable[[str, str], Answer | None], others: ASGIApp) -> None:
        self._frequent, self._others = frequent, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._frequent(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            await self._others(scope, receive, send)
            return
        await answer(scope, receive, send)


def serves_administration(config: VerdictdConfig) -> bool:
    """Not in clear text off loopback: a credential that is overheard is lost."""
    return config.http.certificate is not None or on_loopback(config.http.listen)


def _administration(core: Core, authenticate: Callable[[str], Principal]) -> list[Route]:
    """The administrative routes; what they change, this process sees before it has answered."""

    def seen(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            response = await answer(request)
            if request.method not in {"GET", "HEAD"} and response.status_code < 400:
                await core.books.try_refresh()
            return response

        return endpoint

    routes = admin_routes(core.administration, authenticate, now=clock)
    return [Route(route.path, seen(route.endpoint), methods=list(route.methods or ())) for route in routes]


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _readiness(not_ready: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_: Request) -> Response:
        reason = not_ready()
        return PlainTextResponse(f"{reason or 'ready'}\n", 503 if reason else 200)

    return ready
