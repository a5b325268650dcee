"""The HTTP application: finds the route, reads the request, answers or refuses in PCCS's words."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog

from eaa.errors import EAAError, EndorsementNotFound, FormatError, InternalError, LimitExceeded
from eaa.services.pccs.answers import HTML, Answer, refused
from eaa.services.pccs.call import Call, read_query
from eaa.services.pccs.direct import Direct
from eaa.services.pccs.endpoints_intel import V3_WARNING, Endpoint
from eaa.services.pccs.metrics import Events
from eaa.services.rate import RateLimit
from eaa.transport.unexpected import log_unexpected

__all__ = ["PEER", "PccsApp", "Route", "refusal"]

_LOG = logging.getLogger("eaa.pccs.access")
_TEXT = "text/plain; charset=utf-8"
_PARAMETER = re.compile(r"\{(\w+)\}")

#: Who asks, for what is done on its behalf.
PEER: ContextVar[str] = ContextVar("peer", default="")

Scope = Mapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` may have parameters in braces, of one segment each. ``name`` is what is counted."""

    method: str
    path: str
    endpoint: Endpoint
    version: int = 4
    tee: str = "sgx"

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", self.path))


class PccsApp:
    """ASGI. What is answered with 200 and may be repeated is handed to ``direct``."""

    def __init__(
        self,
        routes: list[Route],
        *,
        direct: Direct,
        events: Events,
        not_ready: Callable[[], str],
        expiring: Callable[[], Sequence[str]],
        max_body_bytes: int,
        max_requests: int,
        seconds: float,
        requests: RateLimit,
    ) -> None:
        self._plain = {(item.method, item.path): item for item in routes if "{" not in item.path}
        self._matched = [(item, item.pattern) for item in routes if "{" in item.path]
        self._paths = {item.path for item in routes}
        self._direct, self._events, self._not_ready = direct, events, not_ready
        self._expiring = expiring
        self._max_body, self._max_requests, self._seconds = max_body_bytes, max_requests, seconds
        self._requests = requests
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise InternalError(f"expected HTTP, came {scope['type']}")
        request_id = secrets.token_hex(16)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        self._active += 1
        try:
            name, answer = await self._answer(scope, receive)
            self._events.served(name, answer.status)
            level = logging.DEBUG if answer.status == 200 and scope["method"] == "GET" else logging.INFO
            _LOG.log(
                level, "%s %s %d from %s", scope["method"], scope["path"][:128], answer.status, _peer(scope)
            )
            await _send(answer, request_id, send, head_only=scope["method"] == "HEAD")
        finally:
            self._active -= 1
            structlog.contextvars.unbind_contextvars("request_id")

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, Answer]:
        """Under what it is counted, and the answer."""
        route: Route | None = None
        cleared = self._direct.cleared
        try:
            if self._active > self._max_requests:
                raise LimitExceeded("too many requests are under way", detail="rate", retry_after=1)
            PEER.set(_peer(scope))
            self._requests.take(_peer(scope))
            health = self._health(scope["path"])
            if health is not None:
                return scope["path"], health
            route, path = self._route(scope)
            async with asyncio.timeout(self._seconds):
                answer = await route.endpoint(await self._call(scope, receive, route, path))
        except TimeoutError:
            answer = refused(LimitExceeded("the request took too long", detail="time"))
        except EAAError as error:
            answer = refused(error)
            level = logging.ERROR if answer.status >= 500 else logging.INFO
            _LOG.log(level, "%s: %s: %s", scope["path"][:128], error.code, error)
        except Exception as error:
            log_unexpected(_LOG, "a request", error)
            answer = refused(InternalError("an error that nobody expected"))
        if route is not None and route.version == 3:
            answer = Answer(answer.status, (*answer.headers, V3_WARNING), answer.body, answer.until)
        # An answer that was begun before something changed may be of what was there then.
        unchanged = cleared == self._direct.cleared
        if route is not None and scope["method"] == "GET" and answer.until is not None and unchanged:
            self._direct.put(_target(scope), answer)
        return route.path if route else "other", answer

    def _route(self, scope: Scope) -> tuple[Route, Mapping[str, str]]:
        method, path = ("GET" if scope["method"] == "HEAD" else scope["method"]), scope["path"]
        route = self._plain.get((method, path))
        if route is not None:
            return route, {}
        for item, pattern in self._matched:
            match = pattern.fullmatch(path)
            if match and item.method == method:
                return item, match.groupdict()
        raise EndorsementNotFound(
            f"there is no {method!a:.10} {path!a:.120} here; see docs/reference/pccs.md", detail="route"
        )

    async def _call(self, scope: Scope, receive: Receive, route: Route, path: Mapping[str, str]) -> Call:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        body = b"" if route.method == "GET" else await self._body(headers, receive)
        query = read_query(scope["query_string"])
        return Call(route.version, route.tee, path, query, headers, body, _peer(scope))

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        length = headers.get("content-length", "")
        parts, size, more = [], 0, True
        while more:
            if length.isdecimal() and int(length[:20]) > self._max_body:
                size = self._max_body + 1
            else:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise FormatError("ended early", what="request", field="body", detail="short")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False)
            if size > self._max_body:
                raise LimitExceeded(f"a body of more than {self._max_body} bytes", detail="size")
        return b"".join(parts)

    def _health(self, path: str) -> Answer | None:
        if path == "/healthz":
            return Answer(200, (("Content-Type", _TEXT),), b"ok\n")
        if path == "/readyz":
            reason = self._not_ready()
            lines = [reason or "ready", *(f"expires soon: {name}" for name in self._expiring())]
            return Answer(
                503 if reason else 200, (("Content-Type", _TEXT),), "\n".join([*lines, ""]).encode()
            )
        return None


async def _send(answer: Answer, request_id: str, send: Send, *, head_only: bool) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    headers += [(b"Request-ID", request_id.encode()), (b"Content-Length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else answer.body})


def refusal(status: int, detail: str) -> tuple[bytes, bytes]:
    """What the HTTP protocol refuses, in PCCS's words: content type and body."""
    del detail
    return HTML.encode(), refused(LimitExceeded("", detail="rate"), status=status).body


def _target(scope: Scope) -> bytes:
    query = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("unix",))[0])
