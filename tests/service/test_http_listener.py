"""What the HTTP listener bounds, whatever application is behind it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eaa.services.http_listener import HttpListener
from eaa.services.http_protocol import HttpBounds, bounded_protocol

_SECONDS = 10.0


def _refusal(_: int, detail: str) -> tuple[bytes, bytes]:
    return b"text/plain", detail.encode()


@dataclass
class Served:
    """An application that reads the body and says nothing, and what it was called with."""

    scopes: list[Any] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        with suppress(ClientDisconnect):
            await Response(await Request(scope, receive).body())(scope, receive, send)

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The first line of the answer to ``head`` and, once that was read, ``body``."""
        return asyncio.run(self._answer(head, body))

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        listening = socket.create_server(("127.0.0.1", 0))
        bounds = HttpBounds(connections=8, head_bytes=4096, head_seconds=_SECONDS)
        listener = HttpListener(self, bounded_protocol(bounds, _refusal), None, idle_seconds=5)
        await listener.start(listening)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        async with asyncio.timeout(_SECONDS):
            writer.write(head)
            while not self.scopes:
                await asyncio.sleep(0.005)
            writer.write(body)
            line = await reader.readline()
        writer.close()
        await listener.stop(1)
        listening.close()
        return line


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"


def test_a_long_body_in_small_chunks() -> None:
    chunk = b"%x\r\n%b\r\n" % (256, b"b" * 256)
    assert Served().answer(HEAD, chunk * 256 + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_trailers_are_not_kept() -> None:
    served = Served()
    assert served.answer(HEAD, b"0\r\nx-a: b\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert [name for name, _ in served.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    "endless", [b"0\r\nx-a: " + b"a" * 5000, b"0\r\n" + b"x-a: b\r\n" * 600, b"1;" + b"a" * 5000]
)
def test_what_is_no_body_has_an_end(endless: bytes) -> None:
    assert Served().answer(HEAD, endless).startswith(b"HTTP/1.1 431 ")
