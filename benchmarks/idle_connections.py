"""Memory of a server with a thousand attested connections that say nothing."""

from __future__ import annotations

import asyncio
import resource
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.ends import ATTESTED, EXPORTER, PLAIN, Clients, Stream, serving
from benchmarks.processes import Process, python, running, says
from benchmarks.timing import Row

__all__ = ["run"]

GOAL_MB = 150
_AT_A_TIME = 8
_LISTENS = r"listening on tcp://(\S+)"
_SETTLE_SECONDS = 0.5


def run(*, quick: bool) -> Iterator[Row]:
    count = 200 if quick else 1000
    _allow_descriptors(count + 200)
    with tempfile.TemporaryDirectory() as name, asyncio.Runner() as runner:
        folder = Path(name)
        clients = Clients(folder)
        with _workload(folder) as workload:
            yield from _rows(runner, clients, "enclave-tls-server", workload, count)
            with _inclavared(folder, workload.address) as inclavared:
                yield from _rows(runner, clients, "inclavared", inclavared, count)
        with serving(folder, PLAIN) as (plain, addresses):
            kib = runner.run(_grow(clients, PLAIN, addresses[PLAIN], plain, count))[0] / count
            yield Row("idle connections", "mutual TLS without attestation", "each", kib, "KiB")


def _rows(runner: asyncio.Runner, clients: Clients, what: str, server: Process, count: int) -> Iterator[Row]:
    growth, resident = runner.run(_grow(clients, EXPORTER, server.address, server, count))
    subject, total = f"{what}, mutual {EXPORTER}", resident * 1024 / 1e6
    met = None if count < 1000 else total < GOAL_MB
    yield Row("idle connections", subject, "each", growth / count, "KiB")
    yield Row("idle connections", subject, f"the process with {count}", total, "MB", f"< {GOAL_MB}", met)


async def _grow(clients: Clients, kind: str, address: str, server: Process, count: int) -> tuple[int, int]:
    """KiB by which ``server`` grows with ``count`` connections, and KiB of all of it then."""
    streams: list[Stream] = [await clients.open(kind, address)]
    before = server.resident_kib()

    async def some() -> None:
        streams.extend([await clients.open(kind, address) for _ in range(count // _AT_A_TIME)])

    await asyncio.gather(*(some() for _ in range(_AT_A_TIME)))
    await asyncio.sleep(_SETTLE_SECONDS)
    after = server.resident_kib()
    for stream in streams:
        stream.close()
    await asyncio.sleep(_SETTLE_SECONDS)
    return after - before, after


def _workload(folder: Path) -> AbstractContextManager[Process]:
    words = ("--ip", "127.0.0.1", "--port", "0", *ATTESTED, "--drain-seconds", "0")
    return _attested(folder, "eaa.cli.enclave_tls_server", *words)


def _inclavared(folder: Path, upstream: str) -> AbstractContextManager[Process]:
    words = ("--listen", "127.0.0.1:0", "--xfer", upstream, *ATTESTED, "--mutual-downstream")
    return _attested(folder, "eaa.cli.inclavared", *words, "--workers", "1", "--drain-seconds", "0")


def _attested(folder: Path, module: str, *words: str) -> AbstractContextManager[Process]:
    vendor = ("--simulated-dir", str(folder / "vendor"))
    return running(python(module, *words, *vendor), folder, says(_LISTENS))


def _allow_descriptors(count: int) -> None:
    """For this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count), hard))
