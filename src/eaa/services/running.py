"""The life of a serving process: ready, renewed on SIGHUP, drained on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from eaa.errors import EAAError

__all__ = ["Service", "in_background", "run_until_stopped"]

_LOG = logging.getLogger("eaa.service")


class Service(Protocol):
    """What can be run: a workload, an inclavared, or the supervisor of several."""

    async def start(self) -> None: ...

    async def drain(self, seconds: float) -> bool: ...


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have ``work`` done until the end of the block, which ends it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run_until_stopped(
    service: Service,
    *,
    drain_seconds: float,
    renew: Callable[[], Awaitable[None]],
    ready: Callable[[], Awaitable[None]],
    stopping: asyncio.Event | None = None,
) -> None:
    """Start ``service``, call ``ready``, and serve until a signal, or until ``stopping`` is set.

    ``renew`` is called on SIGHUP; if it fails, what was there goes on.
    """
    loop = asyncio.get_running_loop()
    stop = stopping or asyncio.Event()
    renewals: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        task = loop.create_task(_renewed(renew))
        renewals.add(task)
        task.add_done_callback(renewals.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    await service.start()
    await ready()
    await stop.wait()
    _LOG.info("draining for at most %g s", drain_seconds)
    whole = await service.drain(drain_seconds)
    _LOG.info("stopped%s", "" if whole else ": connections were left, and closed")


async def _renewed(renew: Callable[[], Awaitable[None]]) -> None:
    try:
        await renew()
    except EAAError as error:
        _LOG.error("nothing was renewed: %s: %s", error.code, str(error))
    else:
        _LOG.info("renewed: new connections get new keys and certificates")
