"""A client that costs little: requests are bytes made before, connections stay open, answers are counted."""

from __future__ import annotations

import asyncio
import gc
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from benchmarks.processes import Process

__all__ = ["Job", "Load", "measure", "request", "run_jobs"]

_LENGTH = b"content-length: "


@dataclass(slots=True)
class Job:
    """Requests to be sent one after the other on one connection, and what came if that is kept."""

    requests: Sequence[bytes]
    answers: list[bytes] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of each request


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of jobs took."""

    jobs: Sequence[Job]
    seconds: float
    cpu_seconds: float  # of the service, all its processes

    @property
    def per_second(self) -> float:
        return len(self.jobs) / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """For each job."""
        return self.cpu_seconds / len(self.jobs) * 1e6

    def milliseconds(self, percent: int) -> float:
        """Of a job from its first byte to its last, at this percentile."""
        times = [sum(job.seconds) for job in self.jobs]
        return statistics.quantiles(times, n=100)[percent - 1] * 1000

    def step_microseconds(self, step: int) -> float:
        """The median of one request of each job."""
        return statistics.median(job.seconds[step] for job in self.jobs) * 1e6


def request(method: str, path: str, body: bytes, cookie: str) -> bytes:
    """HTTP/1.1 on a connection that stays open."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if cookie:
        lines.append(f"Cookie: {cookie}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def measure(process: Process, jobs: Sequence[Job], connections: int) -> Load:
    """Have ``process`` do ``jobs``; every answer is 200, or this raises ``RuntimeError``."""
    gc.collect()
    gc.disable()
    try:
        cpu, began = process.cpu_seconds(), perf_counter()
        asyncio.run(run_jobs(process.address, jobs, connections))
        return Load(jobs, perf_counter() - began, process.cpu_seconds() - cpu)
    finally:
        gc.enable()


async def run_jobs(address: str, jobs: Iterable[Job], connections: int, *, keep: bool = False) -> None:
    """Each connection takes the next job as soon as it has done one."""
    host, _, port = address.rpartition(":")
    loop, left = asyncio.get_running_loop(), iter(jobs)
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Connection(left, keep, loop.create_future()), host, int(port)
        )
        clients.append(client)
    for client in clients:
        client.begin()
    await asyncio.gather(*(client.done for client in clients))


class _Connection(asyncio.Protocol):
    def __init__(self, jobs: Iterator[Job], keep: bool, done: asyncio.Future[None]) -> None:
        self._jobs, self._keep, self.done = jobs, keep, done
        self._came = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def begin(self) -> None:
        job = next(self._jobs, None)
        if job is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._job = job
        self._send()

    def _send(self) -> None:
        self._sent_at = perf_counter()
        self._transport.write(self._job.requests[len(self._job.seconds)])

    def data_received(self, data: bytes) -> None:
        self._came += data
        head = self._came.find(b"\r\n\r\n")
        if head < 0:
            return
        place = self._came.find(_LENGTH, 0, head)
        size = head + 4 + int(self._came[place + len(_LENGTH) : self._came.index(b"\r", place)])
        if len(self._came) < size:
            return
        answer, self._came = self._came[:size], b""
        self._job.seconds.append(perf_counter() - self._sent_at)
        if not answer.startswith(b"HTTP/1.1 200"):
            self._fail(RuntimeError(f"refused: {answer[-300:]!r}"))
            return
        if self._keep:
            self._job.answers.append(answer)
        if len(self._job.seconds) < len(self._job.requests):
            self._send()
        else:
            self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the service closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()
