"""The processes of ``pccs``: one that serves, and one that looks after several."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import uvloop

from eaa.cli.anchors import load_anchors
from eaa.cli.service_command import say
from eaa.cli.service_processes import bind_groups, inherited, say_where, serve_worker, supervise
from eaa.endorsements.amd_roots import AMD_ARKS
from eaa.endorsements.hygon_roots import HYGON_HRKS
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.services.listening import bind
from eaa.services.metrics import render
from eaa.services.pccs.config import PccsConfig
from eaa.services.pccs.core import Inputs
from eaa.services.pccs.metrics import FAMILIES
from eaa.services.pccs.service import Pccs
from eaa.services.pccs.upstream_sources import open_upstream
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
        control, (listening,) = inherited(descriptors)
    inputs = Inputs(
        config, anchors_of(config), lambda: open_upstream(config.upstream), listening, control is not None
    )
    try:
        uvloop.run(_serve(config, inputs, control))
    finally:
        listening.close()


async def _serve(config: PccsConfig, inputs: Inputs, control: socket.socket | None) -> None:
    service = Pccs(inputs, say if control is None else _LOG.debug)

    async def renew() -> None:
        service.renew()

    async def ready() -> None:
        if control is None:
            say_where(inputs.http_socket, tls=config.http.certificate is not None)

    await serve_worker(
        service, control, lambda: (service.not_ready, service.core.samples()),
        drain_seconds=config.drain_seconds, renew=renew, ready=ready,
    )  # fmt: skip


def run_supervisor(config: PccsConfig, arguments: Sequence[str]) -> None:
    """Serve in ``config.workers`` processes of this command with ``arguments``."""
    groups = bind_groups([f"tcp://{config.http.listen}"], config.workers)
    supervise(
        "eaa.cli.pccs", arguments, groups,
        drain_seconds=config.drain_seconds,
        metrics_listen=config.metrics.listen,
        metrics=lambda supervisor: render(FAMILIES, supervisor.metrics()),
        ready=lambda: say_where(groups[0][0], tls=config.http.certificate is not None),
        families=FAMILIES,
        before=lambda: _migrate(config),
    )  # fmt: skip


async def _migrate(config: PccsConfig) -> None:
    """Once, before the processes begin."""
    database = await CollateralDatabase.open(config.storage_url)
    await database.close()
