"""A client that costs as little as it can: one request in bytes, answers of one size."""

from __future__ import annotations

import asyncio
import gc
import socket
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

import uvloop

from benchmarks.processes import Process

__all__ = ["Load", "answer_of", "measure"]


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of requests took."""

    seconds: float
    cpu_seconds: float  # of the service, all its processes
    times: Sequence[float]  # of each request

    @property
    def microseconds(self) -> float:
        """Of the clock on the wall, for each request."""
        return self.seconds / len(self.times) * 1e6

    @property
    def cpu_microseconds(self) -> float:
        """Of the service, for each request."""
        return self.cpu_seconds / len(self.times) * 1e6

    def milliseconds(self, percent: int) -> float:
        """Of a request at this percentile."""
        return statistics.quantiles(self.times, n=100)[percent - 1] * 1000


def answer_of(process: Process, request: bytes) -> bytes:
    """One answer, whole: what all that follow have the size of."""
    host, _, port = process.address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(request)
        came = b""
        while True:
            came += connection.recv(65536)
            head, end, body = came.partition(b"\r\n\r\n")
            if end:
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                if len(body) >= int(length):
                    return came


def measure(process: Process, request: bytes, size: int, requests: int, connections: int) -> Load:
    """``requests`` over so many connections; an answer of another size than ``size`` is an error."""
    gc.collect()
    gc.disable()
    try:
        cpu, began = process.cpu_seconds(), perf_counter()
        times = uvloop.run(_run(process.address, request, size, requests, connections))
        return Load(perf_counter() - began, process.cpu_seconds() - cpu, times)
    finally:
        gc.enable()


async def _run(address: str, request: bytes, size: int, requests: int, connections: int) -> list[float]:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(request, size, requests // connections, loop.create_future()), host, int(port)
        )
        clients.append(client)
    for client in clients:
        client.send()
    await asyncio.gather(*(client.done for client in clients))
    return [second for client in clients for second in client.times]


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes, size: int, count: int, done: asyncio.Future[None]) -> None:
        self._request, self._size, self._count, self.done = request, size, count, done
        self.times: list[float] = []
        self._came, self._sent_at = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def send(self) -> None:
        self._sent_at = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._came and not data.startswith(b"HTTP/1.1 200"):
            self._fail(RuntimeError(f"refused: {data[:300]!r}"))
            return
        self._came += len(data)
        if self._came < self._size:
            return
        if self._came > self._size:
            self._fail(RuntimeError("an answer of another size"))
            return
        self._came = 0
        self.times.append(perf_counter() - self._sent_at)
        if len(self.times) < self._count:
            self.send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the service closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()
