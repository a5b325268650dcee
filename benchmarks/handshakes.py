"""Mutual attested handshakes beside mutual TLS without attestation, on the same library.

A handshake is everything from the connection to a byte there and one back. One client connects all the time:
under ``exporter-v1`` each side collects and verifies evidence for each connection, under ``ratls-cert``
the verdict on its certificate is remembered.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.ends import EXPORTER, PLAIN, RATLS, Clients, send, serving
from benchmarks.processes import Process
from benchmarks.timing import Row, Times

__all__ = ["run"]

_AT_A_TIME = 8
_KINDS = (PLAIN, EXPORTER, RATLS)


def run(*, quick: bool) -> Iterator[Row]:
    rounds, count = (3, 40) if quick else (9, 120)
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        folder = Path(name)
        clients = Clients(folder)
        wall: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        cpu: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        with serving(folder, *_KINDS) as (server, addresses):
            for kind in _KINDS:
                runner.run(_connect(clients, kind, addresses[kind], count))
            for n in range(rounds):
                for kind in _KINDS if n % 2 else reversed(_KINDS):
                    took, used = _measure(runner, server, _connect(clients, kind, addresses[kind], count))
                    wall[kind].append(took / count * 1e6)
                    cpu[kind].append(used / count * 1e6)
    yield from _rows(Times(wall), Times(cpu))


def _rows(wall: Times, cpu: Times) -> Iterator[Row]:
    subject = f"mutual, {_AT_A_TIME} at a time, both ends on this machine"
    for kind in _KINDS:
        yield Row("handshakes", subject, f"{kind}: handshakes", 1e6 / wall.median(kind), "/s")
        yield Row("handshakes", subject, f"{kind}: the server's CPU time each", cpu.median(kind), "µs")
    for kind in (EXPORTER, RATLS):
        yield Row("handshakes", subject, f"{kind}: handshakes / plain's", wall.ratio(PLAIN, kind), "×")
        yield Row(
            "handshakes", subject, f"{kind}: the server's CPU time / plain's", cpu.ratio(kind, PLAIN), "×"
        )


def _measure(
    runner: asyncio.Runner, server: Process, work: Coroutine[None, None, None]
) -> tuple[float, float]:
    """Seconds that ``work`` took, and CPU seconds of ``server`` meanwhile."""
    start, before = perf_counter(), server.cpu_seconds()
    runner.run(work)
    return perf_counter() - start, server.cpu_seconds() - before


async def _connect(clients: Clients, kind: str, address: str, count: int) -> None:
    async def some() -> None:
        for _ in range(count // _AT_A_TIME):
            stream = await clients.open(kind, address)
            await send(stream, 0)
            stream.close()

    await asyncio.gather(*(some() for _ in range(_AT_A_TIME)))
