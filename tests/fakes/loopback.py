"""Attested servers on loopback, in a thread with its own event loop, and the time a test may take."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedServer, AttestedStream, start_attested_server

__all__ = ["Loopback", "run"]

T = TypeVar("T")
SECONDS = 20.0


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work`` on an event loop of its own, within bounds."""
    return asyncio.run(asyncio.wait_for(work, SECONDS))


class Loopback:
    """A server that answers in capitals. ``received`` is what reached it, ``streams`` what opened."""

    def __init__(
        self, config: ChannelConfig, handler: Callable[[AttestedStream], Awaitable[None]] | None = None
    ) -> None:
        self._config = config
        self._handler = handler or self._answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: AttestedServer | None = None
        self.received = bytearray()
        self.streams: list[AttestedStream] = []

    @property
    def address(self) -> str:
        assert self._server is not None
        return self._server.address

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work`` on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def __enter__(self) -> Loopback:
        self._thread.start()
        self._server = self.call(start_attested_server(self._handler, "tcp://127.0.0.1:0", self._config))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.drain(0)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _answer(self, stream: AttestedStream) -> None:
        self.streams.append(stream)
        while data := await stream.read():
            self.received += data
            stream.write(data.upper())
            await stream.drain()
