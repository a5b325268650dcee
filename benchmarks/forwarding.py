"""inclavared's CPU time for a gigabyte beside haproxy's and nginx's: mutual TLS in, mutual TLS out.

The same client sends the same messages through each to the same kind of server, all on loopback; what is
counted is the forwarder's own CPU time, so that the ends do not matter as long as they are quick.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.ends import EXPORTER, PLAIN, Clients, Stream, send, serving
from benchmarks.forwarders import HAPROXY, INCLAVARED, NGINX, PACKAGES, inclavared, installed, peer
from benchmarks.processes import Process
from benchmarks.timing import Row, Times

__all__ = ["run"]

LEVEL, TWO_CORES = 1.0, 1.8
_WORKERS = {1: "one process", 2: "two processes"}
_MANY = 8
_WARM_BYTES = 4_000_000
_CASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Subject:
    kind: str
    process: Process


def run(*, quick: bool) -> Iterator[Row]:
    rounds, size = (3, 100_000_000) if quick else (7, 300_000_000)
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner, ExitStack() as stack:
        folder = Path(name)
        clients = Clients(folder)
        _, upstream = stack.enter_context(serving(folder, PLAIN, EXPORTER))
        workers = {
            label: _Subject(EXPORTER, stack.enter_context(inclavared(folder, upstream[EXPORTER], count)))
            for count, label in _WORKERS.items()
        }
        subjects = {INCLAVARED: workers[_WORKERS[1]]}
        for other in (HAPROXY, NGINX):
            if installed(other):
                subjects[other] = _Subject(PLAIN, stack.enter_context(peer(other, folder, upstream[PLAIN])))
        yield from _beside(_forward(runner, clients, subjects, 1, size, rounds), size)
        yield from _two_cores(_forward(runner, clients, workers, _MANY, size // _MANY, rounds))


def _beside(times: tuple[Times, Times], size: int) -> Iterator[Row]:
    cpu, wall = times
    subject = f"TLS in and out, one connection, {size // 1_000_000} MB"
    for name in cpu.rounds:
        label = f"{name} {_version(name)}".rstrip()
        yield Row("forwarding", subject, f"{label}: CPU time", cpu.median(name), "s/GB")
        yield Row("forwarding", subject, f"{label}: throughput", 1000 / wall.median(name), "MB/s")
    for name in (HAPROXY, NGINX):
        if name not in cpu.rounds:
            yield Row("forwarding", subject, f"{name} is MISSING: apt-get install {PACKAGES[name]}", 0, "")
            continue
        ratio = cpu.ratio(INCLAVARED, name)
        yield Row("forwarding", subject, f"CPU time / {name}'s", ratio, "×", f"≤ {LEVEL:g}", ratio <= LEVEL)


def _two_cores(times: tuple[Times, Times]) -> Iterator[Row]:
    """What two cores forward, by CPU time: the ends need these cores too, so throughput would not show it."""
    cpu, wall = times
    one, two = _WORKERS.values()
    subject = f"inclavared, {_MANY} connections"
    for name in (one, two):
        yield Row("forwarding", subject, f"{name}: CPU time", cpu.median(name), "s/GB")
        yield Row(
            "forwarding", subject, f"{name}: throughput, ends included", 1000 / wall.median(name), "MB/s"
        )
    ratio = 2 * cpu.ratio(one, two)
    what = "two cores / one, by CPU time"
    yield Row("forwarding", subject, what, ratio, "×", f"≥ {TWO_CORES}", ratio >= TWO_CORES)


def _forward(
    runner: asyncio.Runner,
    clients: Clients,
    subjects: Mapping[str, _Subject],
    connections: int,
    size: int,
    rounds: int,
) -> tuple[Times, Times]:
    """CPU seconds of each forwarder, and seconds, for each gigabyte; each subject once per round."""
    cpu: dict[str, list[float]] = {name: [] for name in subjects}
    wall: dict[str, list[float]] = {name: [] for name in subjects}
    names, gigabytes = list(subjects), connections * size / 1e9
    for n in range(rounds):
        for name in names if n % 2 else reversed(names):
            took, used = runner.run(_transfer(clients, subjects[name], connections, size))
            cpu[name].append(used / gigabytes)
            wall[name].append(took / gigabytes)
    return Times(cpu), Times(wall)


async def _transfer(clients: Clients, subject: _Subject, connections: int, size: int) -> tuple[float, float]:
    """Seconds, and CPU seconds of the forwarder, for ``size`` bytes on each of its new connections."""
    process = subject.process
    async with asyncio.timeout(_CASE_SECONDS):
        streams = [await _opened(clients, subject) for _ in range(connections)]
        start, before = perf_counter(), process.cpu_seconds()
        await asyncio.gather(*(send(stream, size) for stream in streams))
        taken = perf_counter() - start, process.cpu_seconds() - before
        for stream in streams:
            stream.close()
    return taken


async def _opened(clients: Clients, subject: _Subject) -> Stream:
    """With its connection upstream, and buffers that have grown."""
    stream = await clients.open(subject.kind, subject.process.address)
    await send(stream, _WARM_BYTES)
    return stream


def _version(name: str) -> str:
    if name == INCLAVARED:
        return ""
    said = subprocess.run([installed(name), "-v"], capture_output=True, text=True, check=False)
    words = (said.stdout + said.stderr).replace("/", " ").split()
    return next((word for word in words if word[0].isdigit()), "")
