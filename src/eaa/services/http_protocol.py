"""uvicorn's HTTP protocol with bounds that it lacks: connections, and a head's size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HttpBounds", "Refusal", "bounded_protocol"]

#: Content type and body of a refusal, from its status and why.
Refusal = Callable[[int, str], tuple[bytes, bytes]]

_REASONS = {408: b"Request Timeout", 429: b"Too Many Requests", 431: b"Request Header Fields Too Large"}


@dataclass(slots=True)
class HttpBounds:
    """``head_bytes`` of a request's line and headers within ``head_seconds``; ``connections`` at once.

    As many bytes may be between two parts of a body, and after it: of a chunk's extensions, and of trailers.

    A connection between two requests has no head to wait for: uvicorn ends it when it was idle for too long.
    """

    connections: int
    head_bytes: int
    head_seconds: float
    open: int = 0


def bounded_protocol(bounds: HttpBounds, refusal: Refusal) -> type[HttpToolsProtocol]:
    """The protocol of one server, whose connections share ``bounds``, which says so as ``refusal`` does."""

    class Bounded(HttpToolsProtocol):
        _in_head = True
        _head = 0  # bytes since the last one that was none of a head, of trailers, or between two chunks
        _counted = False
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
            super().connection_made(transport)
            bounds.open += 1
            self._counted = True
            self._await_head()
            if bounds.open > bounds.connections:
                self._refuse(429, "too many connections (code limit.rate)")

        def connection_lost(self, exc: Exception | None) -> None:
            if self._counted:
                self._counted = False
                bounds.open -= 1
            self._cancel()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self._head += len(data)
            if self._in_head and self._deadline is None:
                self._await_head()
            super().data_received(data)
            if self._head > bounds.head_bytes:
                self._refuse(431, f"more than {bounds.head_bytes} bytes of headers (code limit.size)")

        def on_header(self, name: bytes, value: bytes) -> None:
            # Nobody asks for trailers, which come after the body.
            if self._in_head:
                super().on_header(name, value)

        def on_body(self, body: bytes) -> None:
            self._head = 0
            super().on_body(body)

        def on_headers_complete(self) -> None:
            self._in_head, self._head = False, 0
            self._cancel()
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._in_head, self._head = True, 0
            super().on_message_complete()

        def _await_head(self) -> None:
            self._deadline = self.loop.call_later(bounds.head_seconds, self._late)

        def _late(self) -> None:
            self._deadline = None
            if self._in_head and not self.transport.is_closing():
                self._refuse(408, "the request took too long to begin (code limit.time)")

        def _cancel(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _refuse(self, status: int, detail: str) -> None:
            kind, body = refusal(status, detail)
            head = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\n" % (status, _REASONS[status], kind)
            rest = b"content-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head + rest % len(body) + body)
            self.transport.close()

    return Bounded
