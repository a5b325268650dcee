"""The processes of ``verdictd``: one that serves, and one that looks after several."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence

import uvloop

from eaa.cli.service_command import say
from eaa.cli.verdictd_inputs import channel_config, evidence_source
from eaa.services.listening import address_of, bind
from eaa.services.metrics_http import Health, start_metrics_server
from eaa.services.running import run_until_stopped
from eaa.services.supervisor import Supervisor, report_to_supervisor
from eaa.services.verdictd.config import VerdictdConfig, split_address
from eaa.services.verdictd.metrics import MULTIPROCESS_VARIABLE, metrics_of_all
from eaa.services.verdictd.service import Inputs, Verdictd

__all__ = ["run_supervisor", "run_worker"]

_LOG = logging.getLogger("eaa.verdictd")
#: New containers before the youngest are looked through: some dozens of attestations.
_GC_THRESHOLD = 20_000


def run_worker(config: VerdictdConfig, descriptors: Sequence[int] | None) -> None:
    """Serve in this process: alone, or with the sockets of a supervisor, the control socket first."""
    evidence, notes = evidence_source(config)
    channel, more = channel_config(config, evidence)
    if descriptors is None:
        control, sockets = None, _bind(config, shared=False)
        for note in (*notes, *more):
            _LOG.warning("%s", note)
    else:
        control, *rest = (socket.socket(fileno=number) for number in descriptors)
        sockets = tuple(rest)
        control.setblocking(False)
    inputs = Inputs(
        config, evidence, channel, sockets[0], sockets[1] if len(sockets) > 1 else None, control is not None
    )
    try:
        uvloop.run(_serve(config, inputs, control))
    finally:
        for listening in sockets:
            listening.close()


async def _serve(config: VerdictdConfig, inputs: Inputs, control: socket.socket | None) -> None:
    service = Verdictd(inputs, say if control is None else _LOG.debug)
    stopping = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def renew() -> None:
        evidence, _ = await asyncio.to_thread(evidence_source, config)
        channel, _ = await asyncio.to_thread(channel_config, config, evidence)
        service.replace(evidence, channel)

    async def ready() -> None:
        _spare_collector()
        if control is None:
            _say_where(config, [inputs.http_socket, inputs.channel_socket])
        else:
            reports = report_to_supervisor(control, lambda: (service.not_ready, []), stopping)
            tasks.add(asyncio.create_task(reports))

    await run_until_stopped(
        service, drain_seconds=config.drain_seconds, renew=renew, ready=ready, stopping=stopping
    )
    for task in tasks:
        task.cancel()


def _spare_collector() -> None:
    """What is there from the start stays, and requests leave few cycles behind: looking often is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, *gc.get_threshold()[1:])


def run_supervisor(config: VerdictdConfig, arguments: Sequence[str]) -> None:
    """Serve in ``config.workers`` processes of this command with ``arguments``."""
    groups = [_bind(config, shared=True)]
    addresses = [address_of(item) for item in groups[0]]
    groups += [tuple(bind(address, shared=True) for address in addresses) for _ in range(config.workers - 1)]

    def command(listening: Sequence[int], control: int) -> list[str]:
        own = ["--worker-descriptors", ",".join(str(number) for number in (control, *listening))]
        return [sys.executable, "-m", "eaa.cli.verdictd", *arguments, *own]

    async def supervise(folder: str) -> None:
        supervisor = Supervisor(command, groups)

        async def renew() -> None:
            supervisor.signal(signal.SIGHUP)

        async def ready() -> None:
            if config.metrics.listen:
                host, port = split_address(config.metrics.listen)
                health = Health(lambda: supervisor.not_ready, lambda: metrics_of_all(folder))
                _, port = await start_metrics_server(host, port, health)
                say(f"metrics on http://{host}:{port}/metrics")
            _say_where(config, groups[0])

        await run_until_stopped(supervisor, drain_seconds=config.drain_seconds, renew=renew, ready=ready)

    try:
        with tempfile.TemporaryDirectory(prefix="verdictd-metrics-") as folder:
            os.environ[MULTIPROCESS_VARIABLE] = folder
            asyncio.run(supervise(folder))
    finally:
        for group in groups:
            for listening in group:
                listening.close()


def _bind(config: VerdictdConfig, *, shared: bool) -> tuple[socket.socket, ...]:
    wanted = [config.http.listen, *([config.channel.listen] if config.channel.listen else [])]
    return tuple(bind(f"tcp://{address}", shared=shared) for address in wanted)


def _say_where(config: VerdictdConfig, sockets: Sequence[socket.socket | None]) -> None:
    http, *channel = sockets
    for item in channel:
        if item is not None:
            say(f"attested channel on {address_of(item)}")
    if http is not None:
        scheme = "https" if config.http.certificate else "http"
        say(f"listening on {scheme}://{address_of(http).removeprefix('tcp://')}")
