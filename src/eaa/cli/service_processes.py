"""Processes of a service: one that serves, and one that looks after several that share its sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from eaa.cli.service_command import say
from eaa.services.listening import address_of, bind, forget
from eaa.services.metrics import Family
from eaa.services.metrics_http import Health, serve_metrics
from eaa.services.running import Service, run_until_stopped
from eaa.services.supervisor import Supervisor, report_to_supervisor
from eaa.transport.address import UnixAddress, parse_address

__all__ = ["Report", "bind_groups", "inherited", "say_where", "serve_worker", "supervise"]

#: Why a process cannot serve, or empty, and the samples of its metrics.
Report = Callable[[], tuple[str, list[Any]]]


def inherited(descriptors: Sequence[int]) -> tuple[socket.socket, tuple[socket.socket, ...]]:
    """The control socket and the listening ones that a supervisor handed to this process."""
    control, *listening = (socket.socket(fileno=number) for number in descriptors)
    for item in (control, *listening):
        item.setblocking(False)
    return control, tuple(listening)


def bind_groups(addresses: Sequence[str], workers: int) -> list[tuple[socket.socket, ...]]:
    """For each of ``workers`` sockets of its own on the same ``addresses``, ``tcp://…`` or ``unix://…``."""
    return list(zip(*(_listeners(address, workers) for address in addresses), strict=True))


def say_where(listening: socket.socket, *, tls: bool) -> None:
    """Where HTTP is served."""
    say(f"listening on {'https' if tls else 'http'}://{address_of(listening).removeprefix('tcp://')}")


async def serve_worker(
    service: Service,
    control: socket.socket | None,
    report: Report,
    *,
    drain_seconds: float,
    renew: Callable[[], Awaitable[None]],
    ready: Callable[[], Awaitable[None]],
) -> None:
    """Serve until stopped. ``ready`` is awaited once the service serves.

    ``report`` goes to the supervisor at the other end of ``control``, if there is one.
    """
    stopping = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def started() -> None:
        await ready()
        if control is not None:
            tasks.add(asyncio.create_task(report_to_supervisor(control, report, stopping)))

    await run_until_stopped(
        service, drain_seconds=drain_seconds, renew=renew, ready=started, stopping=stopping
    )
    for task in tasks:
        task.cancel()


def supervise(
    module: str,
    arguments: Sequence[str],
    groups: Sequence[Sequence[socket.socket]],
    *,
    drain_seconds: float,
    metrics_listen: str,
    metrics: Callable[[Supervisor], str],
    ready: Callable[[], None],
    families: Sequence[Family] = (),
    before: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve in a process of ``python -m module arguments`` for each of ``groups``, and close them at the end.

    ``before`` is awaited before the first begins, ``ready`` called once one serves. ``metrics`` makes the
    text that is served on ``metrics_listen``, ``host:port``, if that is not empty.
    """
    bound = [(listening, address_of(listening)) for group in groups for listening in group]

    def command(listening: Sequence[int], control: int) -> list[str]:
        own = ["--worker-descriptors", ",".join(str(number) for number in (control, *listening))]
        return [sys.executable, "-m", module, *arguments, *own]

    async def run() -> None:
        if before is not None:
            await before()
        supervisor = Supervisor(command, groups, families)

        async def renew() -> None:
            supervisor.signal(signal.SIGHUP)

        async def started() -> None:
            if metrics_listen:
                health = Health(lambda: supervisor.not_ready, lambda: metrics(supervisor))
                await serve_metrics(metrics_listen, health, say)
            ready()

        await run_until_stopped(supervisor, drain_seconds=drain_seconds, renew=renew, ready=started)

    try:
        asyncio.run(run())
    finally:
        for listening, address in bound:
            forget(listening, address)


def _listeners(address: str, count: int) -> list[socket.socket]:
    """TCP sockets share the port; of a path there is one that all accept from."""
    if isinstance(parse_address(address), UnixAddress):
        first = bind(address)
        return [first, *(first.dup() for _ in range(count - 1))]
    first = bind(address, shared=True)
    where = address_of(first)
    return [first, *(bind(where, shared=True) for _ in range(count - 1))]
