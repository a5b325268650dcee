"""The KBS protocol over HTTP [COCO-KBS]: what guests ask for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from eaa.broker.kbs.cookie import session_cookie, set_cookie
from eaa.broker.kbs.errors import error_response
from eaa.broker.kbs_broker import Asked, KbsBroker
from eaa.broker.release import CurrentBooks
from eaa.errors import EAAError, InternalError, LimitExceeded, ResourceNotFound, UsageError
from eaa.services.rate import RateLimit
from eaa.services.structured_logs import log_unexpected

__all__ = ["AdminResource", "Answer", "GuestRoutes", "read_body"]

_LOG = logging.getLogger("eaa.verdictd")
_JSON = "application/json"
_MAX_ASKED = 512
_PREFIX = "/kbs/v0/"
_AUTH, _ATTEST, _RESOURCES = f"{_PREFIX}auth", f"{_PREFIX}attest", f"{_PREFIX}resource/"

Answer = Callable[[Request], Awaitable[Response]]
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
        self._posts = {_AUTH: _guarded(self._auth), _ATTEST: _guarded(self._attest)}
        self._any_plugin = _guarded(self._plugin)

    def frequent(self, method: str, path: str) -> Answer | None:
        """What answers the requests of every attestation; ``None`` for others, see :meth:`routes`."""
        if method == "POST":
            return self._posts.get(path)
        return self._any_plugin if method == "GET" and path.startswith(_RESOURCES) else None

    def routes(self) -> list[Route]:
        """To be put after the administrative ones, whose paths are more special."""
        return [
            *(Route(path, answer, methods=["POST"]) for path, answer in self._posts.items()),
            Route("/.well-known/jwks.json", _guarded(self._jwks), methods=["GET"]),
            Route(_PREFIX + "{path:path}", self._any_plugin, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def _auth(self, request: Request) -> Response:
        self._challenges.take(_peer(request))
        challenged = self._broker.challenge(await read_body(request, self._max_body_bytes))
        cookie = set_cookie(
            challenged.cookie, expires_at=challenged.expires_at, secure=request.url.scheme == "https"
        )
        return Response(orjson.dumps(challenged.body), media_type=_JSON, headers={"set-cookie": cookie})

    async def _attest(self, request: Request) -> Response:
        self._attestations.take(_peer(request))
        cookie = session_cookie(request.headers.getlist("cookie"))
        body = await read_body(request, self._max_body_bytes)
        attested = await self._broker.attest(body, cookie, peer=_peer(request), asked=_asked(request))
        return Response(orjson.dumps({"token": attested.token}), media_type=_JSON)

    async def _plugin(self, request: Request) -> Response:
        plugin, _, path = str(request.scope["path"]).removeprefix(_PREFIX).partition("/")
        if request.method != "GET":
            if plugin == "resource" and self._admin_resource and request.method in {"POST", "DELETE"}:
                return await self._admin_resource(request, path)
            raise ResourceNotFound(
                f"{request.method} of plugin {plugin[:64]!r} is not served", detail="plugin"
            )
        content = await self._broker.resource(
            plugin,
            path.split("/"),
            dict(request.query_params),
            cookie=session_cookie(request.headers.getlist("cookie")),
            bearer=_bearer(request),
            peer=_peer(request),
        )
        return Response(content, media_type=_JSON, headers={"cache-control": "no-store"})

    async def _jwks(self, request: Request) -> Response:
        return Response(orjson.dumps(dict(self._books.keys.published)), media_type=_JSON)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, of at most ``limit`` bytes.

    Raises:
        LimitExceeded: ``limit.size``.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise LimitExceeded(f"the body has more than {limit} bytes", detail="size")
        parts.append(part)
    return b"".join(parts)


def _guarded(answer: Answer) -> Answer:
    """``answer``, whose errors become what KBS clients read."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except EAAError as error:
            return _refusal(request, error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            log_unexpected(_LOG, f"{request.method} {request.url.path[:128]}", error)
            return _refusal(request, InternalError(type(error).__name__))

    return guarded


def _refusal(request: Request, error: EAAError) -> Response:
    known = error.decision or request.scope.get("request_id", "")
    status, body = error_response(error, known)
    log = _LOG.warning if status < 500 else _LOG.error
    log("%s %s refused: %s: %s", request.method, request.url.path[:128], error.code, str(error))
    return Response(body, status, media_type=_JSON)


def _asked(request: Request) -> Asked:
    """``audience``, ``nonce`` and ``token=small`` of the query."""
    query = request.query_params
    audience, nonce, size = query.get("audience", ""), query.get("nonce", ""), query.get("token", "")
    if max(len(audience), len(nonce)) > _MAX_ASKED or size not in {"", "small"}:
        raise UsageError(
            f"expected audience and nonce of at most {_MAX_ASKED} characters, and token=small or none",
            detail="attest_query",
        )
    return Asked(audience, nonce, size == "small")


def _bearer(request: Request) -> str | None:
    values = request.headers.getlist("authorization")
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _peer(request: Request) -> str:
    return request.client.host if request.client else "unix"
