"""One direction between two open channels: what comes from one's peer goes to the other's at once.

There is no reader in between. A sink whose peer is slow pauses the source, so that what waits is bounded by
what comes at once and the sink's own bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from eaa.errors import EAAError

__all__ = ["Pipe", "Sink", "Source"]


class Source(Protocol):
    """Whose peer sends."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Sink(Protocol):
    """Whose peer gets it. ``require_alive`` raises why it is gone."""

    def require_alive(self) -> None: ...
    def send(self, data: bytes) -> None: ...
    def send_frames(self, frames: memoryview) -> None: ...
    def finish(self) -> None: ...


class Pipe:
    """From ``source`` to ``sink``.

    Args:
        source: it calls ``send``, ``end`` and ``fail``.
        sink: it calls ``pause``, ``resume`` and ``fail``.
        count: is told how many bytes went, each time.
        framed: whether the sink takes DATA frames.
    """

    def __init__(self, source: Source, sink: Sink, count: Callable[[int], None], *, framed: bool) -> None:
        self._source, self._sink, self._count = source, sink, count
        self.framed = framed
        #: Done when the source's peer has ended and the sink's was told; its exception is what failed.
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, data: bytes) -> None:
        """Application bytes. What comes after the pipe is done is dropped, as in all that follows."""
        if self.done.done() or not data:
            return
        try:
            self._sink.require_alive()
            self._sink.send(data)
        except EAAError as error:
            self.fail(error)
        else:
            self._count(len(data))

    def send_frames(self, frames: memoryview, size: int) -> None:
        """DATA frames with ``size`` bytes in their bodies."""
        if self.done.done():
            return
        try:
            self._sink.require_alive()
            self._sink.send_frames(frames)
        except EAAError as error:
            self.fail(error)
        else:
            self._count(size)

    def end(self) -> None:
        """The source's peer has sent its last byte."""
        if not self.done.done():
            try:
                self._sink.require_alive()
                self._sink.finish()
            except EAAError as error:
                self.fail(error)
            else:
                self.done.set_result(None)
                # What the peer says from now on is not for the sink, and must not wait for it.
                self._source.resume_reading()

    def fail(self, error: EAAError) -> None:
        """The source or the sink is gone, and what was to come through with it."""
        if not self.done.done():
            self._source.pause_reading()
            self.done.set_exception(error)

    def pause(self) -> None:
        """Too much waits for the sink's peer."""
        if not self.done.done():
            self._source.pause_reading()

    def resume(self) -> None:
        """It has caught up."""
        if not self.done.done():
            self._source.resume_reading()
