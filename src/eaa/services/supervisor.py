"""Several processes that serve the same addresses, started again when they end unasked.

Each has listening sockets that stay open here, so that what connects while a process is being started
again waits instead of being refused. Over a socket pair each says when it is ready, and once a second
what it has counted; the pair's end tells a process that nobody looks after it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eaa.errors import ConfigError
from eaa.services.metrics import Family, Metrics, merge_samples

__all__ = ["Supervisor", "report_to_supervisor"]

_LOG = logging.getLogger("eaa.service")
_FIRST_PAUSE, _GREATEST_PAUSE = 0.2, 10.0
_REPORT_SECONDS = 1.0
_KILL_SECONDS = 5.0
#: A line of samples; StreamReader's own bound is 64 KiB.
_MAX_REPORT_BYTES = 1024 * 1024

#: The command line of a process that gets these descriptors: listening sockets, and the control socket.
Command = Callable[[Sequence[int], int], Sequence[str]]


@dataclass(slots=True)
class _Worker:
    listening: Sequence[socket.socket]
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    not_ready: str = "starting"
    samples: list[Any] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)  # counters of its predecessors
    serves: bool = False  # it has said so, and takes signals
    hung_up: bool = False  # SIGHUP came before that

    def lost(self, families: Sequence[Family]) -> None:
        """Counters never go back; gauges of a process that is gone are gone."""
        counting = {item.name for item in families if item.kind == "counter"}
        counters = [item for item in self.samples if item[0] in counting]
        merged = merge_samples(families, [self.before, counters])
        self.before, self.samples = [list(item) for item in merged.samples()], []
        self.process, self.not_ready = None, "a process is being started again"
        self.serves = self.hung_up = False


class Supervisor:
    """Runs ``command`` once for each group of ``listeners``; ``families`` are what the processes report."""

    def __init__(
        self,
        command: Command,
        listeners: Sequence[Sequence[socket.socket]],
        families: Sequence[Family] = (),
    ) -> None:
        self._command, self._families = command, families
        self._workers = [_Worker(listening) for listening in listeners]
        self._runs: list[asyncio.Task[None]] = []
        self._stopping = False
        self._restarts = 0

    @property
    def not_ready(self) -> str:
        """Why no process can serve, or empty."""
        if self._stopping:
            return "draining"
        reasons = [worker.not_ready for worker in self._workers]
        return "" if "" in reasons else reasons[0]

    @property
    def workers(self) -> int:
        """Processes that run now."""
        return sum(worker.process is not None for worker in self._workers)

    @property
    def process_ids(self) -> frozenset[int]:
        """Of those that run now."""
        return frozenset(worker.process.pid for worker in self._workers if worker.process is not None)

    @property
    def restarts(self) -> int:
        """Processes that ended unasked and were started again."""
        return self._restarts

    def metrics(self) -> Metrics:
        """What all processes have reported, merged."""
        return merge_samples(
            self._families, [part for worker in self._workers for part in (worker.before, worker.samples)]
        )

    async def start(self) -> None:
        """Until all are ready.

        Raises:
            ConfigError: one ended before it was.
        """
        self._runs = [asyncio.create_task(self._run(worker)) for worker in self._workers]
        readiness = asyncio.create_task(self._all_ready())
        await asyncio.wait({readiness, *self._runs}, return_when=asyncio.FIRST_COMPLETED)
        if not readiness.done():
            readiness.cancel()
            await self.drain(0)
            raise ConfigError(
                "a process ended before it was ready; its own message is above", detail="worker"
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to each process; SIGHUP, by which one that is being started would end, later."""
        for worker in self._workers:
            if worker.process is None or worker.process.returncode is not None:
                continue
            if number is signal.SIGHUP and not worker.serves:
                worker.hung_up = True
            else:
                worker.process.send_signal(number)

    async def drain(self, seconds: float) -> bool:
        """Have each process drain for ``seconds``; whether none had to be killed."""
        self._stopping = True
        for worker in self._workers:
            for listening in worker.listening:
                listening.close()
        self.signal(signal.SIGTERM)
        _, late = await asyncio.wait(self._runs, timeout=seconds + _KILL_SECONDS)
        self.signal(signal.SIGKILL)
        if late:
            await asyncio.wait(late, timeout=_KILL_SECONDS)
        return not late

    async def _all_ready(self) -> None:
        for worker in self._workers:
            await worker.ready.wait()

    async def _run(self, worker: _Worker) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            why = await self._ended(worker)
            worker.lost(self._families)
            if self._stopping or not worker.ready.is_set():
                return
            self._restarts += 1
            if asyncio.get_running_loop().time() - began > _GREATEST_PAUSE:
                pause = _FIRST_PAUSE
            _LOG.error("a process %s; started again in %.1f s", why, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _GREATEST_PAUSE)

    async def _ended(self, worker: _Worker) -> str:
        """Run one process to its end, and say what became of it."""
        try:
            return f"ended with {await self._once(worker)}"
        except OSError as error:  # no memory, no descriptors: later there may be
            if not worker.ready.is_set():
                _LOG.error("a process cannot be started: %s", error)
            return f"cannot be started: {error}"

    async def _once(self, worker: _Worker) -> int:
        ours, theirs = socket.socketpair()
        descriptors = [listening.fileno() for listening in worker.listening]
        try:
            command = self._command(descriptors, theirs.fileno())
            worker.process = await asyncio.create_subprocess_exec(
                *command, pass_fds=(*descriptors, theirs.fileno())
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours, limit=_MAX_REPORT_BYTES)
        if self._stopping:
            worker.process.terminate()
        try:
            while line := await reader.readline():
                report = json.loads(line)
                worker.not_ready, worker.samples = report["not_ready"], report["samples"]
                worker.ready.set()
                worker.serves = True
                if worker.hung_up:
                    worker.hung_up = False
                    worker.process.send_signal(signal.SIGHUP)
        except (ValueError, OSError) as error:
            _LOG.error("what a process reports is not understood: %s", error)
        code = await worker.process.wait()
        writer.close()
        return code


async def report_to_supervisor(
    control: socket.socket, report: Callable[[], tuple[str, list[Any]]], stopping: asyncio.Event
) -> None:
    """Say once a second what there is; ``stopping`` is set when the supervisor is gone."""
    reader, writer = await asyncio.open_connection(sock=control)
    with contextlib.suppress(OSError):
        while not reader.at_eof():
            not_ready, samples = report()
            writer.write(json.dumps({"not_ready": not_ready, "samples": samples}).encode() + b"\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REPORT_SECONDS):
                    await reader.read()
    stopping.set()
