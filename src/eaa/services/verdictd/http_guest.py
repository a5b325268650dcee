"""The KBS protocol over HTTP [COCO-KBS]: what guests ask for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from eaa.broker.kbs.cookie import session_cookie, set_cookie
from eaa.broker.kbs.errors import error_response
from eaa.broker.kbs_broker import Asked, KbsBroker
from eaa.broker.release import CurrentBooks
from eaa.errors import EAAError, InternalError, ResourceNotFound, UsageError
from eaa.services.rate import RateLimit
from eaa.services.verdictd.http_exchange import Exchange
from eaa.transport.unexpected import log_unexpected

__all__ = ["AdminResource", "Answer", "GuestRoutes"]

_LOG = logging.getLogger("eaa.verdictd")
_MAX_ASKED = 512
#: A TEE's name, versions and a few lists of algorithms.
_MAX_AUTH_BYTES = 64 * 1024
_NOTHING_ASKED = Asked()
_PREFIX = "/kbs/v0/"
_AUTH, _ATTEST, _RESOURCES = f"{_PREFIX}auth", f"{_PREFIX}attest", f"{_PREFIX}resource/"

#: An ASGI application of one route.
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]
#: Answers ``POST`` and ``DELETE`` of a resource, given the request and its path.
AdminResource = Callable[[Request, str], Awaitable[Response]]


class GuestRoutes:
    """The routes. ``admin_resource`` is ``None`` where administration is not served."""

    def __init__(
        self,
        broker: KbsBroker,
        books: CurrentBooks,
        *,
        admin_resource: AdminResource | None,
        max_body_bytes: int,
        challenges: RateLimit,
        attestations: RateLimit,
    ) -> None:
        self._broker, self._books = broker, books
        # Each is a decision that is kept, also one for a challenge that was spent long ago.
        self._challenges, self._attestations = challenges, attestations
        self._admin_resource, self._max_body_bytes = admin_resource, max_body_bytes
        self._posts = {_AUTH: _Guarded(self._auth), _ATTEST: _Guarded(self._attest)}
        self._any_plugin = _Guarded(self._plugin)

    def frequent(self, method: str, path: str) -> Answer | None:
        """What answers the requests of every attestation; ``None`` for others, see :meth:`routes`."""
        if method == "POST":
            return self._posts.get(path)
        return self._any_plugin if method == "GET" and path.startswith(_RESOURCES) else None

    def routes(self) -> list[Route]:
        """To be put after the administrative ones, whose paths are more special."""
        return [
            *(Route(path, answer, methods=["POST"]) for path, answer in self._posts.items()),
            Route("/.well-known/jwks.json", _Guarded(self._jwks), methods=["GET"]),
            Route(_PREFIX + "{path:path}", self._any_plugin, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def _auth(self, exchange: Exchange) -> None:
        self._challenges.take(exchange.peer)
        body = await exchange.body(min(_MAX_AUTH_BYTES, self._max_body_bytes))
        challenged = self._broker.challenge(body)
        cookie = set_cookie(challenged.cookie, expires_at=challenged.expires_at, secure=exchange.is_secure)
        await exchange.answer(200, orjson.dumps(challenged.body), (b"set-cookie", cookie.encode("latin-1")))

    async def _attest(self, exchange: Exchange) -> None:
        self._attestations.take(exchange.peer)
        cookie = session_cookie(exchange.headers(b"cookie"))
        body = await exchange.body(self._max_body_bytes)
        asked = _asked(exchange.query)
        attested = await self._broker.attest(body, cookie, peer=exchange.peer, asked=asked)
        await exchange.answer(200, orjson.dumps({"token": attested.token}))

    async def _plugin(self, exchange: Exchange) -> None:
        plugin, _, path = exchange.path.removeprefix(_PREFIX).partition("/")
        if exchange.method != "GET":
            if plugin != "resource" or exchange.method not in {"POST", "DELETE"} or not self._admin_resource:
                raise ResourceNotFound(
                    f"{exchange.method} of plugin {plugin[:64]!r} is not served", detail="plugin"
                )
            await exchange.give(await self._admin_resource(exchange.request, path))
            return
        content = await self._broker.resource(
            plugin,
            path.split("/"),
            exchange.query,
            cookie=session_cookie(exchange.headers(b"cookie")),
            bearer=_bearer(exchange),
            peer=exchange.peer,
        )
        await exchange.answer(200, content, (b"cache-control", b"no-store"))

    async def _jwks(self, exchange: Exchange) -> None:
        await exchange.answer(200, orjson.dumps(dict(self._books.keys.published)))


class _Guarded:
    """An ASGI application of one route, whose errors become what KBS clients read."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except EAAError as error:
            await _refuse(exchange, error)
        except ClientDisconnect:
            await exchange.answer(400, b"")
        except Exception as error:
            if exchange.answered:
                raise
            log_unexpected(_LOG, f"{exchange.method} {exchange.path[:128]}", error)
            await _refuse(exchange, InternalError(type(error).__name__))


async def _refuse(exchange: Exchange, error: EAAError) -> None:
    status, body = error_response(error, error.decision or exchange.request_id)
    log = _LOG.warning if status < 500 else _LOG.error
    log("%s %s refused: %s: %s", exchange.method, exchange.path[:128], error.code, str(error))
    await exchange.answer(status, body)


def _asked(query: Mapping[str, str]) -> Asked:
    """``audience``, ``nonce`` and ``token=small`` of the query."""
    if not query:
        return _NOTHING_ASKED
    audience, nonce, size = query.get("audience", ""), query.get("nonce", ""), query.get("token", "")
    if max(len(audience), len(nonce)) > _MAX_ASKED or size not in {"", "small"}:
        raise UsageError(
            f"expected audience and nonce of at most {_MAX_ASKED} characters, and token=small or none",
            detail="attest_query",
        )
    return Asked(audience, nonce, size == "small")


def _bearer(exchange: Exchange) -> str | None:
    values = exchange.headers(b"authorization")
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
