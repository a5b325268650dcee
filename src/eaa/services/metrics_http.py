"""``/healthz``, ``/readyz`` and ``/metrics``, for a loopback port: GET, one request per connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from eaa.errors import UsageError
from eaa.transport.address import TcpAddress, parse_address

__all__ = ["Health", "serve_metrics"]

_MAX_REQUEST_BYTES = 8 * 1024
_REQUEST_SECONDS = 5.0
_TEXT, _METRICS = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Health:
    """Where the answers come from. ``not_ready`` says why, or is empty."""

    not_ready: Callable[[], str]
    metrics: Callable[[], str]


async def serve_metrics(listen: str, health: Health, say: Callable[[str], None]) -> asyncio.Server:
    """Serve at ``listen``, ``host:port``, and ``say`` where; port 0 lets the kernel choose.

    Raises:
        UsageError: it is no address, or cannot be listened on.
    """
    where = parse_address(f"tcp://{listen}")
    assert isinstance(where, TcpAddress)  # noqa: S101 - of the scheme given

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, health))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(serve, where.host, where.port, limit=_MAX_REQUEST_BYTES)
    except OSError as error:
        raise UsageError(f"cannot serve metrics on {listen}: {error.strerror}", detail="metrics") from None
    bound = TcpAddress(where.host, server.sockets[0].getsockname()[1])
    say(f"metrics on {str(bound).replace('tcp://', 'http://')}/metrics")
    return server


def _response(head: bytes, health: Health) -> bytes:
    method, _, rest = head.partition(b"\r\n")[0].decode("ascii", "replace").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return _encode(HTTPStatus.METHOD_NOT_ALLOWED, "GET only\n")
    status, kind, body = _answer(path, health)
    return _encode(status, body, kind, head_only=method == "HEAD")


def _answer(path: str, health: Health) -> tuple[HTTPStatus, str, str]:
    match path:
        case "/healthz":
            return HTTPStatus.OK, _TEXT, "ok\n"
        case "/readyz":
            reason = health.not_ready()
            status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
            return status, _TEXT, f"{reason or 'ready'}\n"
        case "/metrics":
            return HTTPStatus.OK, _METRICS, health.metrics()
        case _:
            return HTTPStatus.NOT_FOUND, _TEXT, "there are /healthz, /readyz and /metrics\n"


def _encode(status: HTTPStatus, body: str, kind: str = _TEXT, *, head_only: bool = False) -> bytes:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if head_only else data)
