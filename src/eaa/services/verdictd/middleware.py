"""Around every HTTP request: an id, a deadline, a bound on how many at once, counts, a line in the log."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, MutableMapping
from typing import Any

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eaa.broker.kbs.errors import TYPE_PREFIX
from eaa.services.verdictd.metrics import VerdictdMetrics

__all__ = ["Around", "refusal"]

_LOG = logging.getLogger("eaa.verdictd.access")
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})
_REQUEST_ID = b"request-id"


def refusal(status: int, detail: str) -> tuple[bytes, bytes]:
    """What the HTTP protocol refuses, in the form of KBS: content type and body."""
    del status
    return b"application/json", orjson.dumps({"type": f"{TYPE_PREFIX}HTTPFailed", "detail": detail})


class Around:
    """ASGI middleware; ``max_requests`` at a time, each for at most ``seconds``."""

    def __init__(self, app: ASGIApp, *, metrics: VerdictdMetrics, max_requests: int, seconds: float) -> None:
        self._app, self._metrics = app, metrics
        self._max_requests, self._seconds = max_requests, seconds
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = os.urandom(8).hex()
        scope["request_id"] = request_id
        answer = _Answer(send, request_id)
        began = time.perf_counter()
        self._active += 1
        self._metrics.active.inc()
        # For the task of this request; it ends with it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._within(scope, receive, answer)
        finally:
            self._active -= 1
            self._metrics.active.dec()
            self._count(scope, answer, time.perf_counter() - began)

    async def _within(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if self._active > self._max_requests:
            await answer.refuse(429, "HTTPFailed", "too many requests are under way (code limit.rate)")
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (for the type checker: every request is a task)
        late = asyncio.get_running_loop().call_later(self._seconds, answer.give_up, task)
        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:
            # As asyncio.timeout has it, which takes three times as long.
            if not answer.is_late or task.uncancel():
                raise
            await answer.refuse(408, "HTTPFailed", "the request took too long (code limit.time)")
        finally:
            late.cancel()

    def _count(self, scope: MutableMapping[str, Any], answer: _Answer, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(method, answer.status, seconds, answer.size)
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                self._metrics.request_bytes.observe(int(value))
                break
        if _LOG.isEnabledFor(logging.INFO):
            path, peer = scope["path"][:256], (scope.get("client") or ("unix",))[0]
            _LOG.info("%s %s %d %.1f ms from %s", method, path, answer.status, seconds * 1000, peer)


class _Answer:
    """``send``, which remembers what was sent and adds the request's id."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id.encode()
        self.status, self.size = 0, 0
        self.is_late = False

    def give_up(self, task: asyncio.Task[object]) -> None:
        """The time is over for ``task``, which serves the request."""
        self.is_late = True
        task.cancel()

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (_REQUEST_ID, self._request_id)]
        else:
            self.size += len(message.get("body", b""))
        return self._send(message)

    async def refuse(self, status: int, variant: str, detail: str) -> None:
        """An error in the protocol's shape, unless an answer is under way: then the connection is cut."""
        if self.status:
            raise ConnectionError(detail)
        body = orjson.dumps({"type": TYPE_PREFIX + variant, "detail": detail})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})
