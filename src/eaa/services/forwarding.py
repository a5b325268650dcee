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
    count_up: Callable[[int], None],
    count_down: Callable[[int], None],
) -> None:
    """Until both ends have ended; an end that ends is told to the other at once.

    Args:
        downstream: who connected.
        upstream: whom it is connected to.
        first: what downstream has sent already.
        ended: whether downstream has ended after it.
        count_up: is told how many bytes went to upstream, each time.
        count_down: and to downstream.

    Raises:
        EAAError: one side failed; nothing more is forwarded.
    """

    async def up() -> None:
        if first:
            upstream.write(first)
            count_up(len(first))
            await upstream.drain()
        if ended:
            upstream.write_eof()
        else:
            await downstream.pass_on(upstream, count_up)

    down = upstream.pass_on(downstream, count_down)
    tasks = [asyncio.create_task(_named(up(), "upstream")), asyncio.create_task(_named(down, "downstream"))]
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
