"""The processes of ``verdictd``: one that serves, and one that looks after several."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import tempfile
from collections.abc import Sequence

import uvloop

from eaa.cli.service_command import say
from eaa.cli.service_processes import bind_groups, inherited, say_where, serve_worker, supervise
from eaa.cli.verdictd_inputs import channel_config, evidence_source
from eaa.services.listening import address_of, bind
from eaa.services.verdictd.config import VerdictdConfig
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
        control, sockets = None, tuple(bind(address) for address in _addresses(config))
        for note in (*notes, *more):
            _LOG.warning("%s", note)
    else:
        control, sockets = inherited(descriptors)
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

    async def renew() -> None:
        evidence, _ = await asyncio.to_thread(evidence_source, config)
        channel, _ = await asyncio.to_thread(channel_config, config, evidence)
        service.replace(evidence, channel)

    async def ready() -> None:
        _spare_collector()
        if control is None:
            _say_where(config, [inputs.http_socket, inputs.channel_socket])

    await serve_worker(
        service, control, lambda: (service.not_ready, []),
        drain_seconds=config.drain_seconds, renew=renew, ready=ready,
    )  # fmt: skip


def _spare_collector() -> None:
    """What is there from the start stays, and requests leave few cycles behind: looking often is in vain."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, *gc.get_threshold()[1:])


def run_supervisor(config: VerdictdConfig, arguments: Sequence[str]) -> None:
    """Serve in ``config.workers`` processes of this command with ``arguments``."""
    groups = bind_groups(_addresses(config), config.workers)
    with tempfile.TemporaryDirectory(prefix="verdictd-metrics-") as folder:
        os.environ[MULTIPROCESS_VARIABLE] = folder
        supervise(
            "eaa.cli.verdictd", arguments, groups,
            drain_seconds=config.drain_seconds,
            metrics_listen=config.metrics.listen,
            metrics=lambda supervisor: metrics_of_all(folder, supervisor.process_ids),
            ready=lambda: _say_where(config, groups[0]),
        )  # fmt: skip


def _addresses(config: VerdictdConfig) -> list[str]:
    """Of HTTP, and of the attested channel if there is one."""
    wanted = [config.http.listen, *([config.channel.listen] if config.channel.listen else [])]
    return [f"tcp://{address}" for address in wanted]


def _say_where(config: VerdictdConfig, sockets: Sequence[socket.socket | None]) -> None:
    http, *channel = sockets
    for item in channel:
        if item is not None:
            say(f"attested channel on {address_of(item)}")
    if http is not None:
        say_where(http, tls=config.http.certificate is not None)
