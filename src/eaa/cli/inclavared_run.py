"""The processes of ``inclavared``: one that serves, and one that looks after several."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eaa.cli.console import clean, emit
from eaa.cli.service_command import say
from eaa.errors import RemoteProtocolError
from eaa.services.inclavared import Configs, Inclavared
from eaa.services.inclavared_metrics import FAMILIES, WORKER_RESTARTS, WORKERS
from eaa.services.listening import address_of, bind, forget
from eaa.services.metrics import render
from eaa.services.metrics_http import Health, start_metrics_server
from eaa.services.running import run_until_stopped
from eaa.services.supervisor import Supervisor, report_to_supervisor
from eaa.tls.claims import NONCE_BYTES
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection

__all__ = ["Settings", "ask_once", "run_supervisor", "run_worker"]


@dataclass(frozen=True, slots=True)
class Settings:
    """``configs`` reads files and options anew."""

    listen: str
    upstream: str
    metrics: TcpAddress | None
    drain_seconds: float
    renew_seconds: float
    configs: Callable[[], Configs]


def run_worker(settings: Settings, configs: Configs, descriptors: tuple[int, int] | None) -> None:
    """Serve in this process, alone or for the supervisor that handed it ``descriptors``."""
    listening = bind(settings.listen) if descriptors is None else socket.socket(fileno=descriptors[0])
    control = None if descriptors is None else socket.socket(fileno=descriptors[1])
    listening.setblocking(False)
    where = address_of(listening)
    try:
        asyncio.run(_serve(settings, configs, listening, where, control))
    finally:
        if control is None:
            forget(listening, where)


async def _serve(
    settings: Settings, configs: Configs, listening: socket.socket, where: str, control: socket.socket | None
) -> None:
    service = Inclavared(listening, settings.upstream, configs)
    stopping = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def renew() -> None:
        service.replace(await asyncio.to_thread(settings.configs))

    async def ready() -> None:
        tasks.add(asyncio.create_task(_every(settings.renew_seconds)))
        if control is None:
            await _serve_metrics(settings, Health(lambda: service.not_ready, service.metrics_text))
            say(f"listening on {where}")
        else:
            control.setblocking(False)
            reports = report_to_supervisor(
                control, lambda: (service.not_ready, list(service.metrics.samples())), stopping
            )
            tasks.add(asyncio.create_task(reports))

    await run_until_stopped(
        service, drain_seconds=settings.drain_seconds, renew=renew, ready=ready, stopping=stopping
    )
    for task in tasks:
        task.cancel()


def run_supervisor(settings: Settings, workers: int, arguments: Sequence[str]) -> None:
    """Serve in ``workers`` processes of this command with ``arguments``."""
    listeners = _listeners(settings.listen, workers)
    where = address_of(listeners[0])

    def command(listening: Sequence[int], control: int) -> list[str]:
        own = ["--worker-descriptors", str(listening[0]), str(control)]
        return [sys.executable, "-m", "eaa.cli.inclavared", *arguments, *own]

    async def supervise() -> None:
        supervisor = Supervisor(command, [(listening,) for listening in listeners], FAMILIES)

        async def renew() -> None:
            supervisor.signal(signal.SIGHUP)

        async def ready() -> None:
            await _serve_metrics(
                settings, Health(lambda: supervisor.not_ready, lambda: _supervised_text(supervisor))
            )
            say(f"listening on {where}")

        await run_until_stopped(supervisor, drain_seconds=settings.drain_seconds, renew=renew, ready=ready)

    try:
        asyncio.run(supervise())
    finally:
        for listening in listeners:
            forget(listening, where)


def _supervised_text(supervisor: Supervisor) -> str:
    merged = supervisor.metrics()
    merged.put(WORKERS, supervisor.workers)
    merged.put(WORKER_RESTARTS, supervisor.restarts)
    return render(FAMILIES, merged)


def ask_once(address: str, config: ChannelConfig) -> None:
    """Print the answer of the inclavared at ``address`` to a request for evidence, unverified."""
    request = {"type": "GETENCLAVEINFO", "nonce": secrets.token_hex(NONCE_BYTES)}

    async def converse() -> bytes:
        try:
            stream = await open_attested_connection(address, config)
        except OSError as error:
            message = f"cannot connect to {address}: {error.strerror or error}"
            raise RemoteProtocolError(message, detail="unreachable") from None
        stream.write(json.dumps(request).encode() + b"\n")
        answer = await stream.readline()
        stream.close()
        return answer

    answer = asyncio.run(converse())
    emit(clean(answer.decode("utf-8", "replace")).rstrip("\n"))


async def _every(seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        signal.raise_signal(signal.SIGHUP)  # one way to renew, and one that reports what fails


async def _serve_metrics(settings: Settings, health: Health) -> None:
    if settings.metrics is not None:
        _, port = await start_metrics_server(settings.metrics.host, settings.metrics.port, health)
        say(f"metrics on http://{settings.metrics.host}:{port}/metrics")


def _listeners(address: str, count: int) -> list[socket.socket]:
    """One for each process: TCP sockets share the port, of a path there is one that all accept from."""
    if isinstance(parse_address(address), UnixAddress):
        first = bind(address)
        return [first, *(first.dup() for _ in range(count - 1))]
    first = bind(address, shared=True)
    where = address_of(first)
    return [first, *(bind(where, shared=True) for _ in range(count - 1))]
