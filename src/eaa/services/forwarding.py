"""Bytes both ways between two open channels, with back-pressure and half-close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from eaa.errors import LocalProtocolError, RemoteProtocolError
from eaa.transport.streams import AttestedStream

__all__ = ["forward"]


async def forward(
    downstream: AttestedStream,
    upstream: AttestedStream,
    *,
    first: bytes,
    ended: bool,
    counter: Callable[[str], Callable[[int], None]],
) -> None:
    """Until both ends have ended; an end that ends is told to the other at once.

    Args:
        downstream: who connected.
        upstream: whom it is connected to.
        first: what downstream has sent already.
        ended: whether downstream has ended after it.
        counter: for ``"upstream"`` or ``"downstream"``, what is told how many bytes went there, each time.

    Raises:
        EAAError: one side failed; nothing more is forwarded.
    """

    async def up() -> None:
        count = counter("upstream")
        if first:
            upstream.write(first)
            count(len(first))
            await upstream.drain()
        if ended:
            upstream.write_eof()
        else:
            await downstream.pass_on(upstream, count)

    async def down() -> None:
        await upstream.pass_on(downstream, counter("downstream"))

    tasks = [asyncio.create_task(_named(up(), "upstream")), asyncio.create_task(_named(down(), "downstream"))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _named(pumping: Awaitable[None], sink: str) -> None:
    """A sink that closed in good order and too early is that peer's fault, not ours."""
    try:
        await pumping
    except LocalProtocolError as error:
        if error.code != "local_protocol.closed":
            raise
        raise RemoteProtocolError(
            f"{sink} closed while bytes were on their way to it", detail="closed"
        ) from error
