"""An HTTP/1.1 server on loopback that answers, and misbehaves, as it is told.

async with UpstreamServer(answer) as server:
    … server.url, server.requests
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

__all__ = ["Reply", "Request", "UpstreamServer", "serving"]


@dataclass(frozen=True, slots=True)
class Request:
    """What came. ``query`` has the first value of each parameter; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered.

    ``cut`` bytes of the body are sent before the connection closes, though all are announced;
    ``before`` is waited for first; ``endless`` repeats the body, unannounced, until the peer goes.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    before: asyncio.Event | None = None
    endless: bool = False


class UpstreamServer:
    """``answer`` is asked for each request; ``sent`` counts the bytes of bodies that went out."""

    def __init__(self, answer: Callable[[Request], Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.sent = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    async def __aenter__(self) -> UpstreamServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the peer went, or the test ended
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        pairs = (item.split(":", 1) for item in lines if item)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        request = Request(method, parts.path, query, headers, body)
        self.requests.append(request)
        reply = self.answer(request)
        if reply.before is not None:
            await reply.before.wait()
        return await self._send(reply, writer)

    async def _send(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        lines = [f"HTTP/1.1 {reply.status} status", *(f"{n}: {v}" for n, v in reply.headers.items())]
        if reply.endless:
            lines.append("Connection: close")
        elif "Content-Length" not in reply.headers:
            lines.append(f"Content-Length: {len(reply.body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        while reply.endless:
            writer.write(reply.body)
            await writer.drain()
            self.sent += len(reply.body)
        writer.write(reply.body[: reply.cut])
        self.sent += len(reply.body[: reply.cut])
        await writer.drain()
        return reply.cut is None


@contextlib.contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[UpstreamServer]:
    """A server in a thread with its own event loop, for callers that have none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = UpstreamServer(answer)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(20)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
