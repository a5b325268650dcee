"""What a thread's loop has of its own, and work of other threads that several connections wait for."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, TypeVar, cast

__all__ = ["receive_buffer", "shared"]

#: Of ciphertext, received at a time.
_RECEIVE_BYTES = 512 * 1024
_LOCAL = threading.local()

T = TypeVar("T")


def receive_buffer() -> memoryview:
    """Where ciphertext is received. It goes on to TLS at once: one place is enough for a thread's loop."""
    try:
        return cast("memoryview", _LOCAL.received)
    except AttributeError:
        _LOCAL.received = memoryview(bytearray(_RECEIVE_BYTES))
        return cast("memoryview", _LOCAL.received)


async def shared(future: Future[T]) -> T:
    """The result of work in a thread that others may wait for too."""
    inner = asyncio.wrap_future(future)
    # Whoever waited may be gone by then, with the connection; that is no failure that nobody saw.
    inner.add_done_callback(_seen)
    return await asyncio.shield(inner)


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
