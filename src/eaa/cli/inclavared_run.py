"""The processes of ``inclavared``: one that serves, and one that looks after several."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eaa.cli.console import clean, emit
from eaa.cli.service_command import say
from eaa.cli.service_processes import bind_groups, inherited, serve_worker, supervise
from eaa.errors import RemoteProtocolError
from eaa.services.inclavared import Configs, Inclavared
from eaa.services.inclavared_metrics import FAMILIES, WORKER_RESTARTS, WORKERS
from eaa.services.listening import address_of, bind, forget
from eaa.services.metrics import render
from eaa.services.metrics_http import Health, serve_metrics
from eaa.services.supervisor import Supervisor
from eaa.tls.claims import NONCE_BYTES
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import open_attested_connection

__all__ = ["Settings", "ask_once", "run_supervisor", "run_worker"]


@dataclass(frozen=True, slots=True)
class Settings:
    """``metrics`` is ``host:port``, or empty; ``configs`` reads files and options anew."""

    listen: str
    upstream: str
    metrics: str
    drain_seconds: float
    renew_seconds: float
    configs: Callable[[], Configs]


def run_worker(settings: Settings, configs: Configs, descriptors: Sequence[int] | None) -> None:
    """Serve in this process: alone, or with the sockets of a supervisor, the control socket first."""
    if descriptors is None:
        control, listening = None, bind(settings.listen)
    else:
        control, (listening,) = inherited(descriptors)
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
    renewals: set[asyncio.Task[None]] = set()

    async def renew() -> None:
        service.replace(await asyncio.to_thread(settings.configs))

    async def ready() -> None:
        renewals.add(asyncio.create_task(_every(settings.renew_seconds)))
        if control is None:
            if settings.metrics:
                health = Health(lambda: service.not_ready, service.metrics_text)
                await serve_metrics(settings.metrics, health, say)
            say(f"listening on {where}")

    await serve_worker(
        service, control, lambda: (service.not_ready, list(service.metrics.samples())),
        drain_seconds=settings.drain_seconds, renew=renew, ready=ready,
    )  # fmt: skip
    for task in renewals:
        task.cancel()


def run_supervisor(settings: Settings, workers: int, arguments: Sequence[str]) -> None:
    """Serve in ``workers`` processes of this command with ``arguments``."""
    groups = bind_groups([settings.listen], workers)
    where = address_of(groups[0][0])
    supervise(
        "eaa.cli.inclavared", arguments, groups,
        drain_seconds=settings.drain_seconds,
        metrics_listen=settings.metrics,
        metrics=_supervised_text,
        ready=lambda: say(f"listening on {where}"),
        families=FAMILIES,
    )  # fmt: skip


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
