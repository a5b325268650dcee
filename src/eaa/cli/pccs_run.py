"""The processes of ``pccs``: one that serves, and one that looks after several."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence

import uvloop

from eaa.cli.anchors import load_anchors
from eaa.cli.service_command import say
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.services.configuration import split_address
from eaa.services.listening import address_of, bind
from eaa.services.metrics import render
from eaa.services.metrics_http import Health, start_metrics_server
from eaa.services.pccs.config import PccsConfig
from eaa.services.pccs.core import Inputs
from eaa.services.pccs.metrics import FAMILIES
from eaa.services.pccs.service import Pccs
from eaa.services.pccs.upstream_sources import open_upstream
from eaa.services.running import run_until_stopped
from eaa.services.supervisor import Supervisor, report_to_supervisor
from eaa.storage.collateral.database import CollateralDatabase
from eaa.verify.fetched import TrustRoot

__all__ = ["anchors_of", "run_supervisor", "run_worker"]

_LOG = logging.getLogger("eaa.pccs")


def anchors_of(config: PccsConfig) -> tuple[TrustRoot, ...]:
    """The roots that are believed: the vendors', unless others are configured.

    Raises:
        UsageError, ConfigError: a file is no root certificate.
    """
    given = config.verification.trust_anchors
    return load_anchors(map(str, given)) if given else (*INTEL_SGX_ROOTS, *AMD_ARKS, *HYGON_HRKS)


def run_worker(config: PccsConfig, descriptors: Sequence[int] | None) -> None:
    """Serve in this process: alone, or with the sockets of a supervisor, the control socket first."""
    if descriptors is None:
        control, listening = None, bind(f"tcp://{config.http.listen}")
    else:
        control, listening = (socket.socket(fileno=number) for number in descriptors)
        control.setblocking(False)
    inputs = Inputs(
        config, anchors_of(config), lambda: open_upstream(config.upstream), listening,
        control is not None,
    )  # fmt: skip
    try:
        uvloop.run(_serve(config, inputs, control))
    finally:
        listening.close()


async def _serve(config: PccsConfig, inputs: Inputs, control: socket.socket | None) -> None:
    service = Pccs(inputs, say if control is None else _LOG.debug)
    stopping = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def renew() -> None:
        service.renew()

    async def ready() -> None:
        if control is None:
            _say_where(config, inputs.http_socket)
        else:
            reports = report_to_supervisor(
                control, lambda: (service.not_ready, service.core.samples()), stopping
            )
            tasks.add(asyncio.create_task(reports))

    await run_until_stopped(
        service, drain_seconds=config.drain_seconds, renew=renew, ready=ready, stopping=stopping
    )
    for task in tasks:
        task.cancel()


def run_supervisor(config: PccsConfig, arguments: Sequence[str]) -> None:
    """Serve in ``config.workers`` processes of this command with ``arguments``."""
    first = bind(f"tcp://{config.http.listen}", shared=True)
    address = address_of(first)
    groups = [(first,), *((bind(address, shared=True),) for _ in range(config.workers - 1))]

    def command(listening: Sequence[int], control: int) -> list[str]:
        own = ["--worker-descriptors", ",".join(str(number) for number in (control, *listening))]
        return [sys.executable, "-m", "eaa.cli.pccs", *arguments, *own]

    async def supervise() -> None:
        await _migrate(config)
        supervisor = Supervisor(command, groups, FAMILIES)

        async def renew() -> None:
            supervisor.signal(signal.SIGHUP)

        async def ready() -> None:
            if config.metrics.listen:
                host, port = split_address(config.metrics.listen)
                health = Health(lambda: supervisor.not_ready, lambda: render(FAMILIES, supervisor.metrics()))
                _, port = await start_metrics_server(host, port, health)
                say(f"metrics on http://{host}:{port}/metrics")
            _say_where(config, first)

        await run_until_stopped(supervisor, drain_seconds=config.drain_seconds, renew=renew, ready=ready)

    try:
        asyncio.run(supervise())
    finally:
        for group in groups:
            for listening in group:
                listening.close()


async def _migrate(config: PccsConfig) -> None:
    """Once, before the processes begin."""
    database = await CollateralDatabase.open(config.storage_url)
    await database.close()


def _say_where(config: PccsConfig, listening: socket.socket) -> None:
    scheme = "https" if config.http.certificate else "http"
    say(f"listening on {scheme}://{address_of(listening).removeprefix('tcp://')}")
