"""The pipe between two channels: what it tells either, and what it says at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eaa.errors import EAAError, LocalProtocolError, RemoteProtocolError
from eaa.transport.pipe import Pipe

GONE = LocalProtocolError("gone", detail="closed")


class End:
    """Both a source and a sink; notes what is asked of it. ``dead`` is raised by what is."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.dead: EAAError | None = None

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def require_alive(self) -> None:
        if self.dead is not None:
            raise self.dead

    def send(self, data: bytes) -> None:
        self.said.append(data)

    def send_frames(self, frames: memoryview) -> None:
        self.said.append(("frames", bytes(frames)))

    def finish(self) -> None:
        self.said.append("finish")


def piped(scenario: Callable[[Pipe, End, End, list[int]], Awaitable[None]]) -> None:
    async def run() -> None:
        source, sink, counted = End(), End(), list[int]()
        await scenario(Pipe(source, sink, counted.append, framed=True), source, sink, counted)

    asyncio.run(run())


def test_bytes_and_the_end_go_to_the_sink_and_are_counted() -> None:
    async def scenario(pipe: Pipe, source: End, sink: End, counted: list[int]) -> None:
        pipe.send(b"")
        pipe.send(b"abc")
        pipe.send_frames(memoryview(b"a frame"), 2)
        pipe.end()
        await pipe.done
        assert sink.said == [b"abc", ("frames", b"a frame"), "finish"]
        assert counted == [3, 2]
        assert source.said == ["resume"]

    piped(scenario)


def test_a_slow_sink_pauses_the_source() -> None:
    async def scenario(pipe: Pipe, source: End, sink: End, counted: list[int]) -> None:
        pipe.pause()
        pipe.resume()
        assert source.said == ["pause", "resume"]

    piped(scenario)


def test_a_source_that_has_ended_is_read_whatever_waits_for_the_sink() -> None:
    async def scenario(pipe: Pipe, source: End, sink: End, counted: list[int]) -> None:
        pipe.pause()
        pipe.end()
        pipe.pause()
        pipe.resume()
        assert source.said == ["pause", "resume"]

    piped(scenario)


@pytest.mark.parametrize(
    "step",
    [
        lambda pipe: pipe.send(b"x"),
        lambda pipe: pipe.send_frames(memoryview(b"x"), 1),
        lambda pipe: pipe.end(),
    ],
)
def test_a_sink_that_is_gone_ends_the_pipe(step: Callable[[Pipe], None]) -> None:
    async def scenario(pipe: Pipe, source: End, sink: End, counted: list[int]) -> None:
        sink.dead = GONE
        step(pipe)
        with pytest.raises(LocalProtocolError):
            await pipe.done
        assert source.said == ["pause"]
        assert sink.said == []
        assert counted == []

    piped(scenario)


def test_nothing_is_done_after_a_failure() -> None:
    async def scenario(pipe: Pipe, source: End, sink: End, counted: list[int]) -> None:
        pipe.fail(RemoteProtocolError("lost", detail="truncated"))
        pipe.fail(GONE)
        pipe.send(b"x")
        pipe.send_frames(memoryview(b"x"), 1)
        pipe.end()
        pipe.resume()
        with pytest.raises(RemoteProtocolError):
            await pipe.done
        assert (source.said, sink.said, counted) == (["pause"], [], [])

    piped(scenario)
